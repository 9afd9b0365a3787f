/** What programs of a tenant say, as it is shown. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSaid, harmless } from '../../../../../plugins/bootc/layers/podman/steps/said.ts'

describe('what podman and bootc say', () => {
  it('has no control characters, no terminal sequences, and an end', () => {
    assert.equal(
      harmless('\x1b[2J\x1b[31mInstalling\x1b[0m \x07image\x1b]0;owned\x07 \u00e4\u202e!'),
      'Installing  image  !',
    )
    assert.equal(harmless('x'.repeat(10_000)).length, 400)
  })

  it('has digests as short as they are told apart, so that the end of a sentence is seen', () => {
    assert.equal(
      harmless(`reading sha256:${'ab'.repeat(32)}: manifest unknown`),
      'reading sha256:abababababab: manifest unknown',
    )
  })

  it('gives the last line that tells of an error as the reason, not the lines of noise after it', () => {
    const said = createSaid()
    for (const line of ['Installing', 'error: No space left on device', '}', '   ']) said.add(line)

    assert.equal(said.telling(), 'error: No space left on device')
  })

  it("prefers bootc's reason to what podman logs after it, and to the beginning of a dump", () => {
    const said = createSaid()
    said.add('error: Mounting /dev/vda2: No such device (os error 19)')
    said.add('error: Installing to disk: Failed to run command: Command {')
    said.add('time="2026-11-25T23:14:36Z" level=error msg="Removing container e019"')

    assert.equal(said.telling(), 'error: Mounting /dev/vda2: No such device (os error 19)')
  })

  it('prefers what the image says to what podman and its runtime say when they clear away', () => {
    const said = createSaid()
    said.add("dd: error writing '/full': No space left on device")
    said.add('time="2026-11-26T02:05:11Z" level=error msg="Rolling back transaction: cannot rollback"')
    said.add('cannot delete path `/sys/fs/cgroup/libpod_parent/libpod-78d1`: Device or resource busy')

    assert.equal(said.telling(), "dd: error writing '/full': No space left on device")
  })

  it("gives podman's log line, without its time, where there is nothing better", () => {
    const said = createSaid()
    said.add('time="2026-11-25T23:14:36Z" level=fatal msg="pinging container registry failed"')

    assert.equal(said.telling(), 'pinging container registry failed')
  })

  it('gives the last line where none tells of an error, and nothing where there is none', () => {
    const said = createSaid()
    assert.equal(said.telling(), undefined)

    said.add('Deploying')

    assert.equal(said.telling(), 'Deploying')
  })
})
