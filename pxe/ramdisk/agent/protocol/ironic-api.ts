/**
 * The calls that an agent makes to Ironic's API: version discovery, lookup, heartbeat. Tries each address it was
 * given.
 */
import { messageOf } from '../errors.ts'
import { type Exchange, exchange, type HttpRequest, shownUrl, type TlsOptions } from './http.ts'

type Version = readonly [major: number, minor: number]
export type Lookup = { node: Record<string, unknown> & { uuid: string }; config: Record<string, unknown> }
export type LookupAnswer =
  | { kind: 'found'; lookup: Lookup }
  /** 409: the node is locked. */
  | { kind: 'locked'; why: string }
  | { kind: 'refused'; status: number; why: string }
type Heartbeat = {
  uuid: string
  callback_url: string
  agent_token: string | undefined
  certificate: string | undefined
  /** By layer; none for an Ironic that has not asked for them. */
  layer_facts?: Readonly<Record<string, unknown>>
}
export type HeartbeatAnswer = { accepted: boolean; status: number; why: string }

export type IronicApi = {
  /** The address that answered last, for people to read. */
  readonly url: string
  /**
   * Reaches the API for the first time.
   * @returns the address from which this machine reaches it, and the server's time.
   * @throws Error
   */
  reach(): Promise<{ localAddress: string; date: Date | undefined }>
  /** Known after `reach`. */
  supportsTls(): boolean
  /** @throws Error  nobody answered */
  lookup(addresses: readonly string[], node_uuid?: string): Promise<LookupAnswer>
  /** @throws Error  nobody answered */
  heartbeat(heartbeat: Heartbeat): Promise<HeartbeatAnswer>
}
export type IronicApiOptions = {
  urls: readonly string[]
  timeout_s: number
  tls: TlsOptions
  agent_version: string
  version?: string | undefined
  global_request_id?: string | undefined
}

/** @source ironic-python-agent ironic_api_client.py: what an agent may rely on, and what each field needs */
const OLDEST: Version = [1, 31]
const AGENT_VERSION: Version = [1, 36]
const AGENT_TOKEN: Version = [1, 62]
const VERIFY_CA: Version = [1, 68]

const atLeast = (version: Version, wanted: Version) =>
  version[0] > wanted[0] || (version[0] === wanted[0] && version[1] >= wanted[1])
const lower = (a: Version, b: Version) => (atLeast(a, b) ? b : a)

export function createIronicApi(options: IronicApiOptions): IronicApi {
  let urls = [...options.urls]
  let version: Version = parseVersion(options.version) ?? OLDEST

  async function ask(path: string, request: Pick<HttpRequest, 'method' | 'body'>, as?: Version): Promise<Exchange> {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(as ? { 'x-openstack-ironic-api-version': as.join('.') } : {}),
      ...(options.global_request_id ? { 'x-openstack-request-id': options.global_request_id } : {}),
    }
    const problems: string[] = []
    for (const [index, url] of urls.entries()) {
      try {
        const answer = await exchange(new URL(`${url}${path}`), {
          ...request,
          headers,
          timeout_s: options.timeout_s,
          tls: options.tls,
        })
        urls = [...urls.slice(index), ...urls.slice(0, index)]
        return answer
      } catch (error) {
        problems.push(`${shownUrl(url)}: ${messageOf(error)}`)
      }
    }
    throw new Error(problems.join('; '))
  }

  return {
    get url() {
      return shownUrl(urls[0] ?? '')
    },
    async reach() {
      const answer = await ask('/', { method: 'GET' })
      // A server that is only starting must not be taken for one too old for tokens and certificates.
      if (answer.status >= 500) throw new Error(`${shownUrl(urls[0] ?? '')}: status code ${answer.status}`)
      version = parseVersion(options.version) ?? versionOf(answer.text) ?? OLDEST
      const date = new Date(answer.headers.date ?? '')
      return { localAddress: answer.localAddress, date: Number.isNaN(date.getTime()) ? undefined : date }
    },
    supportsTls: () => atLeast(version, VERIFY_CA),
    async lookup(addresses, node_uuid) {
      const query = new URLSearchParams({ addresses: addresses.join(','), ...(node_uuid ? { node_uuid } : {}) })
      return lookupAnswer(await ask(`/v1/lookup?${query}`, { method: 'GET' }, lower(version, AGENT_TOKEN)))
    },
    async heartbeat({ uuid, callback_url, agent_token, certificate, layer_facts = {} }) {
      const body = JSON.stringify({
        callback_url,
        ...(atLeast(version, AGENT_TOKEN) ? { agent_token } : {}),
        ...(atLeast(version, AGENT_VERSION) ? { agent_version: options.agent_version } : {}),
        ...(atLeast(version, VERIFY_CA) && certificate ? { agent_verify_ca: certificate } : {}),
        ...(Object.keys(layer_facts).length > 0 ? { layer_facts } : {}),
      })
      const answer = await ask(`/v1/heartbeat/${uuid}`, { method: 'POST', body }, lower(version, VERIFY_CA))
      return { accepted: answer.status === 202, status: answer.status, why: faultOf(answer) }
    },
  }
}

function parseVersion(text: unknown): Version | undefined {
  const match = typeof text === 'string' ? /^(\d+)\.(\d+)$/.exec(text) : null
  return match ? [Number(match[1]), Number(match[2])] : undefined
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not JSON: a proxy's page, or a server that is no Ironic. The caller says so.
    return undefined
  }
}

const versionOf = (text: string) =>
  parseVersion((parseObject(text)?.default_version as { version?: unknown } | undefined)?.version)

function lookupAnswer(answer: Exchange): LookupAnswer {
  if (answer.status === 409) return { kind: 'locked', why: faultOf(answer) }
  if (answer.status !== 200) return { kind: 'refused', status: answer.status, why: faultOf(answer) }
  const { node, config } = (parseObject(answer.text) ?? {}) as Partial<Lookup>
  if (typeof node?.uuid === 'string' && config !== null && typeof config === 'object') {
    return { kind: 'found', lookup: { node, config } }
  }
  return { kind: 'refused', status: 200, why: 'the answer names no node, or holds no configuration' }
}

/** Ironic's own form is a JSON text inside JSON. */
function faultOf({ status, text }: Exchange): string {
  const outer = parseObject(text)
  const message = outer?.error_message ?? outer
  const inner = typeof message === 'string' ? parseObject(message) : (message as Record<string, unknown> | undefined)
  const fault = inner?.faultstring ?? inner?.title
  return `${status} ${typeof fault === 'string' ? fault : text.slice(0, 200)}`.trim()
}
