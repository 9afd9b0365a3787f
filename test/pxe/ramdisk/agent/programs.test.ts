/** The ramdisk's programs, as the agent runs them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrograms } from '../../../../pxe/ramdisk/agent/programs.ts'
import { makeMachine } from './fake-machine.ts'

describe('a program of the ramdisk', () => {
  it('gives its output, or fails with what it complained about', async () => {
    await using machine = await makeMachine({
      programs: { df: 'echo "$# words: $2"', ps: 'echo "no such thing" >&2; exit 3' },
    })
    const programs = createPrograms(machine.root)

    assert.equal(await programs.run('df', ['-h', '$(reboot) ; x']), '2 words: $(reboot) ; x\n')
    await assert.rejects(programs.run('ps', ['-e']), { message: 'ps -e: no such thing' })
  })

  it('that is not there, or does not end, fails too', async () => {
    await using machine = await makeMachine({ programs: { sync: 'exec sleep 60' } })
    const programs = createPrograms(machine.root)

    await assert.rejects(programs.run('mkfs', []), { message: /^mkfs: spawn .*ENOENT$/ })
    await assert.rejects(programs.run('sync', [], { timeout_s: 0.1 }), { message: 'sync: did not end within 0.1 s' })
  })
})
