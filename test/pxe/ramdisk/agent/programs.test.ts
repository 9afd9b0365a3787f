/** The ramdisk's programs, as the agent runs them. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

  it('tells each line as it comes, and takes input and environment', async () => {
    await using machine = await makeMachine({
      programs: { df: 'read -r word; printf "one\\rtwo\\n"; echo "$word $GIVEN" >&2; printf three' },
    })
    const lines: string[] = []
    const onLine = (line: string, from: string) => void lines.push(`${from}: ${line}`)

    const output = await createPrograms(machine.root).run('df', [], { input: 'secret\n', env: { GIVEN: 'x' }, onLine })

    assert.equal(output, 'one\rtwo\nthree')
    assert.deepEqual(lines.sort(), ['stderr: secret x', 'stdout: one', 'stdout: three', 'stdout: two'])
  })

  it('keeps of a line without an end, and of all its complaints, only so much', async () => {
    await using machine = await makeMachine({
      programs: { df: 'head -c 300000 /dev/zero | tr "\\0" x; head -c 300000 /dev/zero | tr "\\0" y >&2; exit 1' },
    })
    let longest = 0
    const onLine = (line: string) => {
      longest = Math.max(longest, line.length)
    }

    const failed = await createPrograms(machine.root)
      .run('df', [], { onLine })
      .catch((error: Error) => error.message)

    assert.equal(longest, 4096)
    assert.equal(failed, `df: ${'y'.repeat(4096)}`)
  })

  it('is ended with all that it started when it takes too long or is called off, whoever holds its output', async () => {
    await using machine = await makeMachine({
      programs: { sync: 'sleep 60 & sleep 60', df: 'setsid sleep 5 & exit 0' },
    })
    const programs = createPrograms(machine.root)
    const stop = new AbortController()

    const calledOff = programs.run('sync', [], { signal: stop.signal })
    stop.abort(new Error('no more'))

    await assert.rejects(calledOff, { message: 'no more' })
    await assert.rejects(programs.run('sync', [], { timeout_s: 0.2 }), { message: 'sync: did not end within 0.2 s' })
    const began = performance.now()
    assert.equal(await programs.run('df', []), '')
    assert.ok(performance.now() - began < 4000)
  })

  it('is looked for in usr/sbin, too', async () => {
    await using machine = await makeMachine()
    await mkdir(join(machine.root, 'usr/sbin'))
    await writeFile(join(machine.root, 'usr/sbin/sfdisk'), '#!/bin/sh\necho of sbin\n', { mode: 0o755 })

    assert.equal(await createPrograms(machine.root).run('sfdisk', []), 'of sbin\n')
  })

  it('that is not there, or does not end, fails too', async () => {
    await using machine = await makeMachine({ programs: { sync: 'exec sleep 60' } })
    const programs = createPrograms(machine.root)

    await assert.rejects(programs.run('mkfs', []), { message: /^mkfs: spawn .*ENOENT$/ })
    await assert.rejects(programs.run('sync', [], { timeout_s: 0.1 }), { message: 'sync: did not end within 0.1 s' })
  })
})
