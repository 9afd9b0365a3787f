/**
 * An agent without a machine: the real agent's https server and command protocol, with commands that do nothing,
 * fail, or never end.
 */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Heartbeat } from '../../../appliance/conductor/conductor.ts'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import { AgentError } from '../../../pxe/ramdisk/agent/errors.ts'
import { makeCertificate } from '../../../pxe/ramdisk/agent/protocol/certificate.ts'
import {
  type Commands,
  type CommandTable,
  createCommands,
  type Params,
} from '../../../pxe/ramdisk/agent/protocol/commands.ts'
import { type AgentServer, startServer } from '../../../pxe/ramdisk/agent/protocol/server.ts'

/** Where an agent calls: the conductor itself, or a process that has one. */
export type Door = {
  lookup(query: { addresses: readonly string[]; node_uuid?: string }): Promise<{ node: { uuid: string }; config: Json }>
  heartbeat(uuid: string, heartbeat: Heartbeat): Promise<void>
}
export type OfferedStep = {
  step: string
  interface: string
  priority: number
  reboot_requested: boolean
  abortable?: boolean
  argsinfo?: Readonly<Record<string, { description: string; required?: boolean }>>
}
export type FakeAgentOptions = {
  mac: string
  /** What a deploy step does. Left out: succeeds at once. */
  onStep?: (
    step: string,
    params: Params,
    progress: (note: string, done: number, total: number) => void,
  ) => Promise<unknown>
  offers?: readonly OfferedStep[]
  /** Clean steps; those of the real one when left out. */
  cleans?: readonly OfferedStep[]
  /** Service steps. Left out: none. */
  services?: readonly OfferedStep[]
  /** How finalize_rescue goes. Left out: well, at once. */
  onRescue?: () => Promise<unknown>
  /** What it answers instead when it is asked for its steps. */
  nonsense?: unknown
  onPowerOff?: () => void
  /** How install_bootloader goes. Left out: well, at once. */
  onBootloader?: () => Promise<unknown>
  /** Called when it is asked for its steps, before it answers. */
  onList?: () => Promise<unknown>
  /** Until then it works on something of its own. */
  busy?: Promise<unknown>
}

const WRITE_IMAGE: OfferedStep = { step: 'write_image', interface: 'deploy', priority: 0, reboot_requested: false }
const clean = (step: string, priority: number): OfferedStep => ({
  ...{ step, priority, interface: 'deploy', reboot_requested: false, abortable: true },
})
const CLEANS = [clean('erase_devices', 10), clean('erase_devices_metadata', 99), clean('erase_devices_express', 0)]
const ANSWER_MS = 20
const DEADLINE_MS = 10_000
const CERTIFICATE = makeCertificate('127.0.0.1', new Date(), 'P-256')

export class FakeAgent {
  /** Commands in the order in which they came, steps by their names. */
  readonly given: string[] = []
  readonly #asking = new Set<() => void>()
  readonly params: Params[] = []
  /** Commands that came while it was busy. */
  readonly refused: string[] = []
  readonly #options: FakeAgentOptions
  #server: AgentServer | undefined
  #uuid = ''
  #token = ''

  constructor(options: FakeAgentOptions) {
    this.#options = options
  }

  get callback_url(): string {
    assert.ok(this.#server, 'the agent has not booted')
    return `https://127.0.0.1:${this.#server.port}`
  }
  get token(): string {
    return this.#token
  }

  /** Up to the first heartbeat. */
  async boot(door: Door): Promise<void> {
    await this.lookUp(door)
    await this.beat(door)
  }

  async lookUp(door: Door): Promise<void> {
    await this.close()
    const { node, config } = await door.lookup({ addresses: [this.#options.mac] })
    this.#uuid = node.uuid
    this.#token = String(config.agent_token)
    await this.#serve(0)
  }

  /** Without a memory of what it was given, as after a crash of its process. */
  async startAnew(): Promise<void> {
    const { port } = new URL(this.callback_url)
    await this.close()
    await this.#serve(Number(port))
  }

  async #serve(port: number): Promise<void> {
    const commands = this.#commands()
    if (this.#options.busy) await commands.execute('standby.own_work', {}, false)
    this.#server = await startServer({
      host: '127.0.0.1',
      port,
      certificate: CERTIFICATE,
      minVersion: 'TLSv1.2',
      token: () => this.#token,
      commands: { ...commands, execute: (...given) => this.#noteRefusal(given[0], commands.execute(...given)) },
      status: () => ({ started_at: 0, version: '1' }),
    })
  }

  beat(door: Door, change: Partial<Heartbeat> = {}): Promise<void> {
    return door.heartbeat(this.#uuid, {
      callback_url: this.callback_url,
      agent_token: this.#token,
      agent_version: '13.0.0',
      agent_verify_ca: CERTIFICATE.certificate,
      ...change,
    })
  }

  /** Gone, as a machine is that was switched off. */
  async close(): Promise<void> {
    await this.#server?.close()
    this.#server = undefined
  }

  async untilGiven(name: string): Promise<void> {
    if (this.given.includes(name)) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const check = () => this.given.includes(name) && resolve()
    const timer = setTimeout(() => reject(new Error(`${name} was not given, but ${this.given}`)), DEADLINE_MS)
    this.#asking.add(check)
    await promise.finally(() => {
      this.#asking.delete(check)
      clearTimeout(timer)
    })
  }

  #noteRefusal<T>(name: string, answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      this.refused.push(name)
      throw error
    })
  }

  #commands(): Commands {
    const note = (name: string, params: Params) => {
      this.given.push(name)
      for (const call of this.#asking) call()
      this.params.push(params)
    }
    const { offers = [WRITE_IMAGE], cleans = CLEANS, services = [], busy } = this.#options
    return createCommands({
      onStart: () => {},
      onEnd: () => {},
      table: {
        deploy: this.#stepCommands('deploy', offers, note),
        clean: this.#stepCommands('clean', cleans, note),
        service: this.#stepCommands('service', services, note),
        rescue: {
          finalize_rescue: {
            kind: 'sync',
            run: async (params) => {
              note('finalize_rescue', params)
              await this.#options.onRescue?.()
            },
          },
        },
        image: {
          install_bootloader: {
            kind: 'async',
            run: async (params) => {
              note('install_bootloader', params)
              return this.#options.onBootloader?.()
            },
          },
        },
        standby: {
          sync: { kind: 'sync', run: async (params) => note('sync', params) },
          own_work: { kind: 'async', run: async () => busy },
          run_image: { kind: 'async', run: async (params) => note('run_image', params) },
          power_off: {
            kind: 'async',
            run: async (params) => {
              note('power_off', params)
              this.#options.onPowerOff?.()
            },
          },
        },
      },
    })
  }

  #stepCommands(
    kind: 'deploy' | 'clean' | 'service',
    offers: readonly OfferedStep[],
    note: (name: string, params: Params) => void,
  ): CommandTable[string] {
    const list = `get_${kind}_steps`
    return {
      [list]: {
        kind: 'sync',
        run: async (params) => {
          note(list, params)
          await this.#options.onList?.()
          const { nonsense } = this.#options
          return nonsense ?? { [`${kind}_steps`]: { FakeManager: offers }, hardware_manager_version: { fake: '1.0' } }
        },
      },
      [`execute_${kind}_step`]: {
        kind: 'async',
        run: async (params, context) => {
          const { step } = params.step as { step: string }
          note(step, params)
          // The answer to the command goes out first.
          await pause(ANSWER_MS)
          const result = await this.#options.onStep?.(step, params, (text, done, total) =>
            context.progress({ note: text, done, total }),
          )
          return { [`${kind}_result`]: result ?? null, [`${kind}_step`]: params.step }
        },
      },
    }
  }
}

export const stepFails = (details: string) => new AgentError('ImageWriteError', details)
