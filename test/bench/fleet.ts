/** Simulated machines of fleet.bench.ts: agents with https servers of their own, which call over real HTTP. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Dispatcher, Pool } from 'undici'
import { Agent } from './agent.ts'
import { macOf } from './many-nodes.ts'

type Answer = Dispatcher.ResponseData
type FleetOptions = {
  api: string
  count: number
  /** Between two heartbeats of one agent. */
  every_ms: number
  timed: (what: string, ask: () => Promise<Answer>) => Promise<Answer>
}

const HEADERS = { accept: 'application/json', 'x-openstack-ironic-api-version': '1.68' }
const CONNECTIONS = 64
/** Firmware and kernel: as long as a machine of this bench needs to come to its agent. */
const BOOT_MS = 1_000
const BOOTS_LIMIT = 300

export class Fleet implements AsyncDisposable {
  /** Agents that are at their image, and those that were told to power off. */
  writing = 0
  ended = 0
  readonly #options: FleetOptions
  readonly #pool: Pool
  readonly #written = Promise.withResolvers<void>()
  readonly #agents: Agent[] = []
  #isOver = false

  constructor(options: FleetOptions) {
    this.#options = options
    this.#pool = new Pool(options.api, { connections: CONNECTIONS, pipelining: 1 })
  }

  /** The machine of a node by its number. */
  powerOn(index: number): void {
    let isOn = true
    const agent = new Agent({
      write: () => {
        this.writing++
        return this.#written.promise
      },
      onPowerOff: () => {
        isOn = false
        this.ended++
      },
    })
    this.#agents.push(agent)
    void this.#live(agent, macOf(index), () => isOn && !this.#isOver)
  }

  finishWriting(): void {
    this.#written.resolve()
  }

  async #live(agent: Agent, mac: string, isOn: () => boolean): Promise<void> {
    const uuid = await this.#lookUp(agent, mac, isOn)
    while (uuid !== undefined && isOn()) {
      const body = JSON.stringify(agent.heartbeat)
      await this.#ask('heartbeat', { method: 'POST', path: `/v1/heartbeat/${uuid}`, body }).catch((error: Error) => {
        if (isOn()) process.stderr.write(`${error.message}\n`)
      })
      await pause(this.#options.every_ms * (0.8 + 0.4 * Math.random()))
    }
  }

  /** Nobody is let in before the node waits for its agent. */
  async #lookUp(agent: Agent, mac: string, isOn: () => boolean): Promise<string | undefined> {
    for (let tries = 0; tries < BOOTS_LIMIT && isOn(); tries++) {
      await pause(BOOT_MS)
      const found = await this.#ask('lookup', { method: 'GET', path: `/v1/lookup?addresses=${mac}` }).catch(() => {})
      if (found === undefined) continue
      const { node, config } = found as { node: { uuid: string }; config: { agent_token: string } }
      await agent.start(config.agent_token)
      return node.uuid
    }
    return undefined
  }

  /** @throws Error  the answer is a refusal */
  async #ask(what: string, request: { method: 'GET' | 'POST'; path: string; body?: string }): Promise<unknown> {
    const headers = { ...HEADERS, ...(request.body === undefined ? {} : { 'content-type': 'application/json' }) }
    let text = ''
    const { statusCode } = await this.#options.timed(what, async () => {
      const answer = await this.#pool.request({ ...request, headers })
      text = await answer.body.text()
      return answer
    })
    if (statusCode >= 300) throw new Error(`${what}: ${statusCode} ${text.slice(0, 300)}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.#written.resolve()
    await Promise.all(this.#agents.map((agent) => agent.close()))
    await this.#pool.destroy()
  }
}
