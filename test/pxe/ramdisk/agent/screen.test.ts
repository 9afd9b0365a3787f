/** What the person in front of the machine sees. */
import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createScreen } from '../../../../pxe/ramdisk/agent/screen.ts'
import { makeMachine } from './fake-machine.ts'

describe('the screen', () => {
  it('is every console that the kernel names; one that is not there takes nothing from the others', async () => {
    await using machine = await makeMachine()
    await writeFile(join(machine.root, 'sys/class/tty/console/active'), 'tty0 ttyS9 ttyS0\n')
    await writeFile(machine.disk('tty0'), '')

    createScreen(machine.root).say('hello')

    assert.equal(await machine.console(), 'hello\r\n')
    assert.equal(await readFile(machine.disk('tty0'), 'latin1'), 'hello\r\n')
  })

  it('shows progress in one line, and what is said next in another', async () => {
    await using machine = await makeMachine()
    const screen = createScreen(machine.root)

    screen.progress('1 of 2')
    screen.progress('2 of 2')
    screen.say('done')

    assert.equal(await machine.console(), `\r${'1 of 2'.padEnd(79)}\r${'2 of 2'.padEnd(79)}\r\ndone\r\n`)
  })

  it('is not moved by control characters from afar', async () => {
    await using machine = await makeMachine()

    createScreen(machine.root).say('image \x1b[2J\r\nFAILED é')

    assert.equal(await machine.console(), 'image ?[2J??FAILED ?\r\n')
  })

  it('keeps what was said and noted in a log, with the time; progress is not kept', async () => {
    await using machine = await makeMachine()
    const screen = createScreen(machine.root)

    screen.say('said')
    screen.progress('half')
    screen.note('noted')

    const log = await readFile(join(machine.root, 'var/log/agent.log'), 'utf8')
    assert.match(log, /^\d{4}-\d\d-\d\dT[\d:.]+Z said\n\d{4}-\d\d-\d\dT[\d:.]+Z noted\n$/)
    assert.doesNotMatch(await machine.console(), /noted/)
  })

  it('is not there on a machine without consoles, and its log may be gone: the deploy goes on', async () => {
    await using machine = await makeMachine()
    await rm(join(machine.root, 'sys/class/tty/console/active'))
    const screen = createScreen(machine.root)
    await mkdir(join(machine.root, 'var/log/agent.log'))

    assert.doesNotThrow(() => screen.say('nobody hears'))
  })
})
