/** The person at a machine without a BMC does what a person would do: reads the screen, and presses two buttons. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { LogLine } from './appliance.ts'
import { attend } from './attendant.ts'

/** Steel on paper; `pressed` tells of each button. */
async function machineOnPaper(test: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-attendant-'))
  const console = join(folder, 'console.log')
  await writeFile(console, '')
  const buttons = new EventEmitter()
  const machine = {
    power: 'off' as 'on' | 'off',
    options: { console },
    async setBootDevice(device: 'network' | 'disk') {
      assert.equal(device, 'network')
    },
    async powerOn() {
      machine.power = 'on'
      buttons.emit('pressed', 'power')
    },
    async powerOff() {
      buttons.emit('pressed', 'plug')
    },
    async reset() {
      buttons.emit('pressed', 'reset')
    },
  }
  const listeners = new Set<(line: LogLine) => void>()
  const appliance = {
    onLine(listener: (line: LogLine) => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  const home = new AbortController()
  test.after(() => home.abort())
  test.after(() => rm(folder, { recursive: true }))
  attend(machine, 'uuid', appliance, home.signal)
  const state = (node: string, to: string) => {
    const line = { time: '', level: 'info', message: 'provision state changed', node, to }
    for (const listener of listeners) listener(line)
  }
  const power = (power_state: string) => {
    for (const listener of listeners)
      listener({ time: '', level: 'info', message: 'power changed', node: 'uuid', power_state })
  }
  const pressed = () => once(buttons, 'pressed', { signal: AbortSignal.timeout(10_000) }).then(([button]) => button)
  return { machine, state, power, pressed, shows: (text: string) => appendFile(console, `${text}\r\n`) }
}

describe('who attends to a machine without a BMC', () => {
  it('switches it on when its node waits for its agent, and only then', async (test) => {
    const { machine, state, pressed } = await machineOnPaper(test)
    state('uuid', 'deploying')
    state('another', 'wait call-back')
    assert.equal(machine.power, 'off')

    const button = pressed()
    state('uuid', 'wait call-back')

    assert.equal(await button, 'power')
  })

  it('switches it on again when it has switched itself off, as the record of its node has it', async (test) => {
    const { machine, power, pressed } = await machineOnPaper(test)
    machine.power = 'on'
    const plug = pressed()
    power('power off')
    power('power on')

    machine.power = 'off'
    assert.equal(await plug, 'plug')

    assert.equal(await pressed(), 'power')
  })

  it('resets it when its screen says that the agent is done, each time', async (test) => {
    const { machine, pressed, shows } = await machineOnPaper(test)
    machine.power = 'on'
    for (const time of ['deploy', 'deploy again']) {
      const button = pressed()

      await shows(`${time}: Locked down: the agent takes no more commands. This machine can be switched off.`)

      assert.equal(await button, 'reset')
    }
  })
})
