/**
 * Racks and operators for instances that live in memory: by the API alone, as the client takes its seconds for each
 * call.
 */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { LogLine } from '../rack/appliance.ts'
import { type LiveSystem, makeLiveSystem } from '../rack/live-system/build.ts'
import { bmcArguments, DEFAULT_DRIVER } from '../rack/node-fields.ts'
import type { Rack, RackOptions } from '../rack/rack.ts'
import { ensureRamdisk } from '../rack/ramdisk.ts'
import { readable } from '../rack/steel/console.ts'
import type { Machine } from '../rack/steel/machine.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS, rackFor } from './racks.ts'

const LOOK_INTERVAL_MS = 200

export type LiveRack = AsyncDisposable & { rack: Rack; live: LiveSystem }
type LiveRackOptions = Omit<Partial<RackOptions>, 'ramdisk' | 'signal'>

/** A rack beside which the live system's files lie. */
export async function withLiveRack(test: TestContext, options: LiveRackOptions): Promise<LiveRack> {
  const ramdisk = await ensureRamdisk(AbortSignal.timeout(PREPARE_DEADLINE_MS))
  const stack = new AsyncDisposableStack()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-live-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const live = await makeLiveSystem(ramdisk.folder, folder)
    const rack = stack.use(await rackFor(test, { ...options, images: [folder, ...(options.images ?? [])] }))
    return { rack, live, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

export type Operator = {
  uuid: string
  put(what: 'provision' | 'power', target: string): Promise<void>
  /** Resolves in that state. @throws AssertionError  another one where this ends */
  provision(target: string, state: string): Promise<void>
}

/** A node of deploy interface ramdisk for the machine, available. */
export async function enroll(rack: Rack, index: number, instance_info: Record<string, string>): Promise<Operator> {
  const machine = machineOf(rack, index)
  const call = async (method: string, path: string, body: object) => {
    const answer = await rack.appliance.call(method, path, body)
    assert.ok(answer.status < 300, answer.text)
    return JSON.parse(answer.text) as { uuid: string }
  }
  const { name } = machine
  const driver_info = Object.fromEntries(driverInfo(index))
  const fields = { name, driver: DEFAULT_DRIVER, deploy_interface: 'ramdisk', driver_info, instance_info }
  const { uuid } = await call('POST', '/v1/nodes', fields)
  await call('POST', '/v1/ports', { address: machine.options.mac, node_uuid: uuid })
  const operator = operatorOf(rack, uuid)
  await operator.provision('manage', 'manageable')
  await operator.provision('provide', 'available')
  return operator
}

/** Each as the client takes it: `--driver-info`, then KEY=VALUE. */
const driverInfo = (index: number): [string, string][] =>
  bmcArguments(index, DEFAULT_DRIVER)
    .filter((word) => word.includes('='))
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])

function operatorOf(rack: Rack, uuid: string): Operator {
  async function put(what: 'provision' | 'power', target: string): Promise<void> {
    const ask = () => rack.appliance.call('PUT', `/v1/nodes/${uuid}/states/${what}`, { target })
    let answer = await ask()
    // What was done before is in the log a moment before the node is free.
    for (let tries = 0; answer.status === 409 && tries < 50; tries++) {
      await pause(100)
      answer = await ask()
    }
    assert.equal(answer.status, 202, answer.text)
  }
  return {
    uuid,
    put,
    async provision(target, state) {
      const from = rack.appliance.lines.length
      await put('provision', target)
      const isThere = ({ message, node, to }: LogLine) =>
        message === 'provision state changed' && node === uuid && (to === state || to === 'deploy failed')
      const { to, last_error } = await rack.appliance.waitFor(state, isThere, { timeout_s: 120, from })
      assert.equal(to, state, String(last_error))
    },
  }
}

/** The next phone-home of the machine. To be called before what leads to it. @returns its path and query */
export async function untilHome(rack: Rack, index: number): Promise<string> {
  const { mac } = machineOf(rack, index).options
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const late = () => reject(new Error(`machine ${index + 1} did not phone home in time`))
  const timer = setTimeout(late, DEPLOY_DEADLINE_MS)
  rack.hardware.onPhoneHome((call) => call.mac === mac && resolve(call.path))
  return promise.finally(() => clearTimeout(timer))
}

/** Until the screen of the machine, or its serial line, shows this. */
export async function untilShown(rack: Rack, index: number, text: RegExp): Promise<void> {
  const machine = machineOf(rack, index)
  for (const end_ms = Date.now() + DEPLOY_DEADLINE_MS; !text.test(await shownBy(machine)); ) {
    assert.ok(Date.now() < end_ms, `${text} was not shown; see ${machine.options.console}`)
    await pause(LOOK_INTERVAL_MS)
  }
}

async function shownBy(machine: Machine): Promise<string> {
  const serial = readable(await readFile(machine.options.console, 'latin1'))
  const { screen, firmware } = machine.options
  return screen && firmware === 'bios' && machine.power === 'on' ? serial + (await machine.screenText()) : serial
}

export function machineOf(rack: Rack, index: number): Machine {
  const machine = rack.hardware.machines[index]
  assert.ok(machine)
  return machine
}
