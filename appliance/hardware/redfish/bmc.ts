/** One BMC for the length of one call, and the resources that everything begins with: the system, its manager. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../../config/options.ts'
import type { Log } from '../../log.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { InterfaceTask } from '../../plugin-api/interfaces.ts'
import type { BootMode } from '../boot-mode.ts'
import type { Client, Resource } from './client.ts'
import { bmcOf, RedfishFailure } from './failure.ts'
import { linkAt, linksAt, memberAt } from './members.ts'
import { finished } from './task-monitor.ts'
import type { Answer } from './wire.ts'

/** What is needed of a task; a step has no more. */
export type RedfishTask = Pick<InterfaceTask, 'node' | 'signal' | 'remember'>

export type Bmc = {
  node: RedfishTask['node']
  signal: AbortSignal
  log: Log
  config: Config['redfish']
  /** Begins a sentence about it. */
  name: string
  power_state_change_timeout_s: number
  soft_power_off_timeout_s: number
  /** What the node's record asks for; undefined: whatever there is. @throws InvalidParameterValue */
  asked_boot_mode(): BootMode | undefined
  remember: RedfishTask['remember']
  root(): Promise<Resource>
  /** Of this node. */
  system(): Promise<Resource>
  /** The first that manages the system. */
  manager(): Promise<Resource>
  /** @throws RedfishFailure */
  get(link: string): Promise<Resource>
  /** As `get`, for one of many that are held at a time: what all of them have together is bounded. */
  collect(link: string): Promise<Resource>
  /** Paths of a collection's members. */
  members(link: string): Promise<readonly string[]>
  /** Resolves when the BMC has done it, also when it does it in a task. @throws RedfishFailure */
  patch(resource: Resource, change: Json): Promise<Answer>
  post(link: string, body: Json): Promise<Answer>
  delete(link: string): Promise<Answer>
  /** As they are, and without waiting for a task. */
  client: Client
  /** @throws the signal's reason */
  pause(seconds: number): Promise<void>
  /** An error about this BMC. @param words  after "The BMC ... of node ... " */
  failure(words: string): RedfishFailure
}
type BmcOptions = Pick<
  Bmc,
  'log' | 'config' | 'asked_boot_mode' | 'power_state_change_timeout_s' | 'soft_power_off_timeout_s'
> & { task: RedfishTask }

/** Pages of one collection, and members of all of them. */
const PAGES_LIMIT = 50
const MEMBERS_LIMIT = 2_000
/** Two hundred drives have some 2 MB. */
const COLLECTED_LIMIT_BYTES = 32 * 1024 * 1024
const SHOWN_SYSTEMS = 5

export function createBmc(client: Client, { task, ...options }: BmcOptions): Bmc {
  const { node, signal, remember } = task
  const name = bmcOf(client.access)
  const failure = (words: string) => new RedfishFailure(`${name} ${words}`)
  const get = (link: string) => client.get(link, signal)
  const wait = (answer: Answer) => finished(bmc, answer)

  let collected_bytes = 0
  async function collect(link: string): Promise<Resource> {
    const found = await get(link)
    collected_bytes += found.size_bytes
    if (collected_bytes <= COLLECTED_LIMIT_BYTES) return found
    throw failure(`lists resources of more than ${COLLECTED_LIMIT_BYTES} bytes together.`)
  }

  /** @throws RedfishFailure  a loop of pages */
  async function members(link: string): Promise<readonly string[]> {
    const found = new Set<string>()
    let next: string | undefined = link
    for (let page = 0; next !== undefined; page++) {
      if (page >= PAGES_LIMIT || found.size > MEMBERS_LIMIT) {
        throw failure(`lists more than ${MEMBERS_LIMIT} members, or ${PAGES_LIMIT} pages, in ${link}.`)
      }
      const { body }: Resource = await collect(next)
      for (const member of linksAt(body, 'Members')) found.add(member)
      next = linkAt(body, 'Members@odata.nextLink')
    }
    return [...found]
  }

  async function systems(): Promise<readonly string[]> {
    const { body, path } = await client.root(signal)
    return members(linkAt(body, 'Systems') ?? `${path}Systems`)
  }

  /** @source sushy main.py get_system */
  async function onlySystem(): Promise<string> {
    if (client.only_system !== undefined) return client.only_system
    const found = await systems()
    const [only] = found
    if (only !== undefined && found.length === 1) {
      client.only_system = only
      return only
    }
    throw failure(
      `manages ${found.length} systems (${found.slice(0, SHOWN_SYSTEMS).join(', ')}): set redfish_system_id in driver_info to one of them.`,
    )
  }

  async function system(): Promise<Resource> {
    const { system: given } = client.access
    if (given === undefined) return get(await onlySystem())
    try {
      return await get(given)
    } catch (error) {
      if (!(error instanceof RedfishFailure) || error.status !== 404) throw error
      const known = await systems().catch(() => [])
      throw failure(
        `has no system ${given}${known.length > 0 ? ` (it has ${known.slice(0, SHOWN_SYSTEMS).join(', ')})` : ''}. Correct redfish_system_id in driver_info.`,
      )
    }
  }

  async function manager(): Promise<Resource> {
    const { body } = await system()
    const [linked] = linksAt(body, 'Links', 'ManagedBy')
    if (linked !== undefined) return get(linked)
    const root = await client.root(signal)
    const [first] = await members(linkAt(root.body, 'Managers') ?? `${root.path}Managers`)
    if (first !== undefined) return get(first)
    throw failure('tells of no manager of this system.')
  }

  const bmc: Bmc = {
    ...{ node, signal, remember, name, client, failure, ...options },
    root: () => client.root(signal),
    ...{ system, manager, get, collect, members },
    patch: async (resource, change) => wait(await client.patch(resource, change, signal)),
    post: async (link, body) => wait(await client.send('POST', link, body, signal)),
    delete: async (link) => wait(await client.send('DELETE', link, undefined, signal)),
    pause: (seconds) => pause(seconds * 1000, undefined, { signal }),
  }
  return bmc
}

/** What an action takes: the path that it is posted to, and the values of one of its parameters, if the BMC tells. */
export async function actionOf(
  bmc: Bmc,
  { body, path }: Resource,
  { action, parameter }: { action: string; parameter?: string },
): Promise<{ target: string; allowed: readonly string[] | undefined }> {
  const found = memberAt(body, 'Actions', action)
  const target = linkAt(found, 'target')
  if (target === undefined) throw bmc.failure(`offers no action ${action} at ${path}.`)
  if (parameter === undefined) return { target, allowed: undefined }
  return { target, allowed: await allowedValues(bmc, found, parameter) }
}

/** Beside the action, or in a resource of their own. @source DSP0266 section 7.11, @Redfish.ActionInfo */
async function allowedValues(bmc: Bmc, action: unknown, parameter: string): Promise<readonly string[] | undefined> {
  const beside = memberAt(action, `${parameter}@Redfish.AllowableValues`)
  const values = Array.isArray(beside) ? beside : await valuesOfActionInfo(bmc, action, parameter)
  const texts = values.filter((each) => typeof each === 'string')
  return texts.length > 0 ? texts : undefined
}

async function valuesOfActionInfo(bmc: Bmc, action: unknown, parameter: string): Promise<readonly unknown[]> {
  const link = linkAt(action, '@Redfish.ActionInfo')
  if (link === undefined) return []
  const info = await bmc.get(link).catch((error) => {
    // A link that leads nowhere: then nothing is told.
    if (error instanceof RedfishFailure && error.status !== undefined) return undefined
    throw error
  })
  const parameters = memberAt(info?.body, 'Parameters')
  const found = Array.isArray(parameters) ? parameters.find((each) => memberAt(each, 'Name') === parameter) : undefined
  const values = memberAt(found, 'AllowableValues')
  return Array.isArray(values) ? values : []
}
