/**
 * Calls the agent's API (ironic-python-agent's). Never trusts an answer: every call has a deadline and a size limit.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseJson as parseAnyJson } from '@appliance/ground/json-meter'
import { AddressRefused, type Reach } from '@appliance/ground/reach'
import { readLimited } from '@appliance/ground/read-limited'
import { trimEnd } from '@appliance/ground/trim-end'
import { AgentFailure, ApplianceError, messageOf } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Node } from '../records/kinds/node.ts'
import { type Command, parseCommand, parseCommands } from './commands.ts'
import { createConnections } from './connections.ts'

/** The agent works on another command; ask again at its next sign of life. */
export class AgentBusy extends AgentFailure {}
/** The agent could not be reached, or did not answer in time. */
export class AgentUnreachable extends AgentFailure {}

export type AgentClient = {
  /** All commands that the agent remembers, oldest first. @throws AgentFailure, AgentUnreachable */
  commands(node: Node, signal: AbortSignal, attempts?: number): Promise<Command[]>
  /**
   * Gives the agent a command. With `wait` it answers when the command has ended.
   * @throws AgentBusy, AgentUnreachable, AgentFailure  also for a command that failed at once
   */
  run(node: Node, name: string, params: Json, options: { wait: boolean; signal: AbortSignal }): Promise<Command>
  /** Closes the connections to this node's agent. */
  forget(node_uuid: string): void
  close(): Promise<void>
}
export type AgentClientOptions = {
  command_timeout_s: number
  max_command_attempts: number
  /** [agent] verify_ca, for agents that bring no certificate of their own: True, False, or a file. */
  verify_ca: string
  reach: Reach
  /** Pause before another attempt at an agent that could not be reached. */
  retry_pause_ms?: number
}

/** Largest answer taken from an agent. A list of commands with their results is some KiB. */
const ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
const RETRY_PAUSE_MS = 1000

type Call = { node: Node; path: string; query: Json; body?: Json; signal: AbortSignal; purpose: string }

export function createAgentClient(options: AgentClientOptions): AgentClient {
  const connections = createConnections(options.verify_ca, options.reach)
  const timeout_ms = options.command_timeout_s * 1000

  /** One exchange. @throws AgentUnreachable for everything below HTTP */
  async function exchange(call: Call): Promise<{ status: number; body: unknown }> {
    const url = new URL(`${agentUrl(call.node)}/v1/${call.path}`)
    for (const [key, value] of Object.entries(call.query)) url.searchParams.set(key, String(value))
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(timeout_ms)])
    // undici is a hundred files: they are read when an agent is first called.
    const { request } = await import('undici')
    let text: string
    let status: number
    try {
      const response = await request(url, {
        method: call.body ? 'POST' : 'GET',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: call.body ? JSON.stringify(call.body) : null,
        dispatcher: await connections.to(call.node, url),
        headersTimeout: timeout_ms,
        bodyTimeout: timeout_ms,
        signal,
      })
      status = response.statusCode
      const refusal = () =>
        new AgentFailure(`The agent of node ${call.node.uuid} answered more than ${ANSWER_LIMIT_BYTES} bytes`)
      text = (await readLimited(response.body, ANSWER_LIMIT_BYTES, refusal)).toString('utf8')
    } catch (error) {
      if (error instanceof ApplianceError) throw error
      call.signal.throwIfAborted()
      throw new AgentUnreachable(
        unreachable(call, signal.aborted ? `no answer within ${timeout_ms / 1000} s` : reasonOf(error)),
        {
          cause: error,
        },
      )
    }
    return { status, body: parseJson(call, status, text) }
  }

  async function ask(call: Call): Promise<unknown> {
    const { status, body } = await exchange(call)
    if (status < 400) return body
    const fault = (body as { faultstring?: unknown } | null)?.faultstring
    const text = typeof fault === 'string' ? fault.slice(0, 500) : 'it gave no reason'
    if (status === 409 || /agent is busy/i.test(text)) {
      throw new AgentBusy(
        `Node ${call.node.uuid} ${call.purpose} failed. Agent is presently executing a command. Error ${text}`,
      )
    }
    throw new AgentFailure(
      `Agent API for node ${call.node.uuid} returned HTTP status code ${status} with error: ${text}`,
    )
  }

  /** Calls again when the agent cannot be reached; `recover` may find out that the first call had arrived after all. */
  async function insist<T>(
    call: Call,
    parse: (body: unknown) => T,
    attempts: number,
    recover?: () => Promise<T | undefined>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return parse(await ask(call))
      } catch (error) {
        // An address that is not to be connected to stays so.
        if (!(error instanceof AgentUnreachable) || error.cause instanceof AddressRefused) throw error
        const recovered = await recover?.().catch((failure: unknown) => {
          // `recover` only asks whether the call had arrived. When that stays unknown, `error` already says why.
          if (!(failure instanceof AgentFailure)) throw failure
          return undefined
        })
        if (recovered) return recovered
        if (attempt >= attempts) throw error
      }
      await pause(options.retry_pause_ms ?? RETRY_PAUSE_MS, undefined, { signal: call.signal })
    }
  }

  const listCall = (node: Node, signal: AbortSignal): Call => ({
    node,
    path: 'commands/',
    query: tokenOf(node),
    signal,
    purpose: 'collecting the status of its commands',
  })

  return {
    async commands(node, signal, attempts = options.max_command_attempts) {
      return insist(listCall(node, signal), (body) => parseCommands(node.uuid, body), attempts)
    },
    async run(node, name, params, { wait, signal }) {
      const call: Call = {
        node,
        path: 'commands/',
        query: { wait: String(wait), ...tokenOf(node) },
        body: { name, params },
        signal,
        purpose: `command "${name}"`,
      }
      /** The agent may have taken the command, and its answer was lost. */
      const runningAlready = async () => {
        const newest = parseCommands(node.uuid, await ask(listCall(node, signal))).at(-1)
        return newest?.status === 'RUNNING' && newest.name === name.slice(name.indexOf('.') + 1) ? newest : undefined
      }
      const parse = (body: unknown) => parseCommand(node.uuid, body)
      const command = await insist(call, parse, options.max_command_attempts, runningAlready)
      if (command.status === 'FAILED')
        throw new AgentFailure(`Agent command ${name} failed on node ${node.uuid}: ${command.error}`)
      return command
    },
    forget: connections.forget,
    close: connections.close,
  }
}

function agentUrl(node: Node): string {
  const url = node.driver_internal_info.agent_url
  if (typeof url === 'string' && url !== '') return trimEnd(url, '/')
  throw new AgentUnreachable(`The agent of node ${node.uuid} has not told its address yet`)
}

function tokenOf(node: Node): Json {
  const token = node.driver_internal_info.agent_secret_token
  return typeof token === 'string' ? { agent_token: token } : {}
}

function unreachable(call: Call, reason: string): string {
  return `Connection to agent failed: the agent running on node ${call.node.uuid} cannot be reached at ${call.node.driver_internal_info.agent_url} for ${call.purpose}: ${reason}`
}

/** Leaves out Node's advice on its own flags: the operator has [agent] verify_ca. */
const NODE_ADVICE = /; if the root CA is installed locally.*$/

function reasonOf(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  return messageOf(cause).replace(NODE_ADVICE, '') || 'the connection broke'
}

function parseJson(call: Call, status: number, text: string): unknown {
  try {
    const body = parseAnyJson(text)
    if (body !== null && typeof body === 'object') return body
  } catch (error) {
    throw new AgentFailure(notJson(call, status, text), { cause: error })
  }
  throw new AgentFailure(notJson(call, status, text))
}

/** Repeats nothing of it: what answered there may be no agent. */
function notJson(call: Call, status: number, text: string): string {
  return `The agent of node ${call.node.uuid} answered ${call.purpose} with HTTP status code ${status} and ${text.length} characters that are not a JSON object.`
}
