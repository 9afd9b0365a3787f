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
    assert.equal(harmless('x'.repeat(10_000)).length, 300)
  })

  it('gives the last line that tells of an error as the reason, not the lines of noise after it', () => {
    const said = createSaid()
    for (const line of ['Installing', 'error: No space left on device', '}', '   ']) said.add(line)

    assert.equal(said.telling(), 'error: No space left on device')
  })

  it('gives the last line where none tells of an error, and nothing where there is none', () => {
    const said = createSaid()
    assert.equal(said.telling(), undefined)

    said.add('Deploying')

    assert.equal(said.telling(), 'Deploying')
  })
})
