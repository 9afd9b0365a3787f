/** Takes commands over the API and sends heartbeats, until the agent is locked down or hands the machine over. */
import { setTimeout as pause } from 'node:timers/promises'
import type { AgentContext } from './commands/context.ts'
import { stepAgent } from './commands/layer-steps.ts'
import { commandTable } from './commands/table.ts'
import { messageOf } from './errors.ts'
import { listNetworkCards } from './hardware/network-cards.ts'
import type { Identity } from './identity.ts'
import { startLayers } from './layers.ts'
import { type Commands, createCommands } from './protocol/commands.ts'
import { type Heartbeater, startHeartbeats } from './protocol/heartbeat.ts'
import { hostOf } from './protocol/http.ts'
import type { IronicApi, Lookup } from './protocol/ironic-api.ts'
import { startServer } from './protocol/server.ts'

export type ServeOptions = {
  agent: AgentContext
  api: IronicApi
  identity: Identity
  lookup: Lookup
  status: { started_at: number; version: string }
}

const HEARTBEAT_TIMEOUT_S = 300
/** So that the answer to the command that ends it still goes out. */
const LAST_WORDS_MS = 200

export async function serve({ agent, api, identity, lookup, status }: ServeOptions): Promise<void> {
  const { options, screen } = agent
  const { certificate, agent_token, uuid, address } = identity
  const ended = Promise.withResolvers<'locked down' | 'handed over'>()
  agent.lockDown = () => ended.resolve('locked down')
  agent.handOver = () => ended.resolve('handed over')
  let heartbeats: Heartbeater | undefined
  let isHandedOver = false
  const facts = await startLayers(stepAgent(agent))
  const server = await startServer({
    host: options.listen_host,
    port: options.listen_port,
    certificate,
    minVersion: lookup.config.tls_min_version === '1.3' ? 'TLSv1.3' : options.tls_min_version,
    token: () => agent_token,
    commands: commandsOf(agent, () => heartbeats?.force()),
    status: () => status,
  })
  const callback_url = `${certificate ? 'https' : 'http'}://${hostOf(address)}:${options.advertise_port || server.port}`
  if (agent_token) {
    screen.say(`Waiting for commands at ${callback_url}`)
    // Ironic itself refuses a field that it does not know.
    const layer_facts = lookup.config.rackstrap_layer_facts === true ? facts : {}
    const told = { uuid, callback_url, agent_token, certificate: certificate?.certificate, layer_facts }
    const send = () => api.heartbeat(told)
    heartbeats = startHeartbeats({
      send,
      timeout_s: Number(lookup.config.heartbeat_timeout) || HEARTBEAT_TIMEOUT_S,
      screen,
    })
    isHandedOver = (await ended.promise) === 'handed over'
    await pause(LAST_WORDS_MS)
  }
  heartbeats?.stop()
  await server.close()
  if (isHandedOver) return
  await takeNetworkDown(agent)
  screen.say('Locked down: the agent takes no more commands. This machine can be switched off.')
}

function commandsOf(agent: AgentContext, onAsyncEnd: () => void): Commands {
  const { screen } = agent
  return createCommands({
    table: commandTable(agent),
    onStart: (name) => screen.note(`command ${name} begins`),
    onEnd(command, kind, error) {
      const failure = command.command_error
      if (failure) screen.say(`FAILED ${command.command_name}: ${failure.details}`)
      else screen.note(`command ${command.command_name} succeeded`)
      if (error instanceof Error && error.stack) screen.note(error.stack)
      if (kind === 'async') onAsyncEnd()
    },
  })
}

async function takeNetworkDown({ root, programs, screen }: AgentContext): Promise<void> {
  for (const { name } of await listNetworkCards(root)) {
    await programs.run('ip', ['link', 'set', name, 'down']).catch((error: unknown) => screen.note(messageOf(error)))
  }
}
