/** A conductor in a process of its own, to be killed: what it says, and how it is asked. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import type { LogLine } from '../records/state-folder.ts'
import type { Door } from './fake-agent.ts'

const PROGRAM = join(import.meta.dirname, 'kill-conductor.ts')
const DEADLINE_MS = 20_000

export class ConductorProcess implements Door {
  readonly lines: LogLine[] = []
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  #port = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    assert.ok(child.stdout)
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as LogLine)
      for (const call of this.#waiting) call()
    })
  }

  /** @param hangs  whether nodes hang where they say */
  static start(state_path: string, hangs: 'hangs' | 'runs'): Promise<ConductorProcess> {
    return ConductorProcess.startProgram(PROGRAM, [state_path, hangs])
  }

  /** One that speaks as kill-conductor.ts does. */
  static async startProgram(program: string, args: readonly string[]): Promise<ConductorProcess> {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const started = new ConductorProcess(child)
    const { port } = await started.untilLine('ready')
    started.#port = Number(port)
    return started
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }

  async ask<T>(call: string, ...args: unknown[]): Promise<T> {
    const body = JSON.stringify([call, ...args])
    const response = await fetch(`http://127.0.0.1:${this.#port}`, { method: 'POST', body })
    const { value, error } = (await response.json()) as { value?: T; error?: string }
    if (error !== undefined) throw new Error(error)
    return value as T
  }

  lookup: Door['lookup'] = (query) => this.ask('lookup', query)
  heartbeat: Door['heartbeat'] = (uuid, heartbeat) => this.ask('heartbeat', uuid, heartbeat)
  node = (uuid: string) => this.ask<Node>('node', uuid)

  untilLine(message: string, fields: Record<string, unknown> = {}): Promise<LogLine> {
    const isIt = (line: LogLine) =>
      line.message === message && Object.entries(fields).every(([key, value]) => line[key] === value)
    return this.#until(`${message} ${JSON.stringify(fields)}`, () => this.lines.find(isIt))
  }

  untilState = (node: string, state: string) => this.untilLine('provision state changed', { node, to: state })

  /** The node has begun to wait so many times. */
  untilWaits(node: string, times: number): Promise<boolean> {
    const waits: unknown[] = ['wait call-back', 'clean wait', 'service wait']
    const isIt = (line: LogLine) => line.node === node && waits.includes(line.to)
    return this.#until(`wait ${times} of ${node}`, () => this.lines.filter(isIt).length >= times)
  }

  /** The node is in this state, whether it was before or came into it. */
  async untilNode(uuid: string, state: string): Promise<Node> {
    const node = await this.node(uuid)
    if (node.provision_state === state) return node
    await this.untilState(uuid, state)
    return this.node(uuid)
  }

  #until<T>(what: string, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look()
        if (!found) return
        end()
        resolve(found)
      }
      const timer = setTimeout(() => {
        end()
        const said = this.lines.map((line) => JSON.stringify(line)).join('\n')
        reject(new assert.AssertionError({ message: `"${what}" was not said, but\n${said}` }))
      }, DEADLINE_MS)
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(check)
      }
      this.#waiting.add(check)
      check()
    })
  }
}
