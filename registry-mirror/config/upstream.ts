/** One upstream as the operator describes it: a section [upstream:NAME] of the configuration file, checked. */
import { readFileSync } from 'node:fs'
import { RegistryError } from '../oci/errors.ts'
import { parseName } from '../oci/names.ts'
import { parsePlatform } from '../oci/platforms.ts'
import { credentialsIn } from '../oci/pull-secret.ts'
import type { UpstreamConfig } from './config.ts'
import { parseSchedule } from './schedule.ts'

/** In the shape of the plugin contract's options; NAME stands for the upstream's name. */
export const upstreamOptions = {
  url: {
    section: 'upstream:NAME',
    type: 'string',
    help: 'Address of the registry that NAME/... is pulled from, such as https://quay.io; needed. docker.io is https://registry-1.docker.io.',
  },
  username: { section: 'upstream:NAME', type: 'string', help: 'Who this mirror is to the upstream.' },
  password: { section: 'upstream:NAME', type: 'string', help: 'Password or access token that goes with username.' },
  pull_secret: {
    section: 'upstream:NAME',
    type: 'string',
    format: 'path',
    help: "File with a pull secret (dockerconfigjson, as docker login writes it), instead of username and password: the entry of the upstream's host counts.",
  },
  public: {
    section: 'upstream:NAME',
    type: 'boolean',
    default: false,
    help: "Let everybody who may pull from this mirror pull what these credentials open; without it that is for the mirror's own users, for access_rules that begin with NAME, and for nodes that are deployed.",
  },
  token_hosts: {
    section: 'upstream:NAME',
    type: 'list',
    default: [],
    help: "Hosts beside the upstream's own that are given the credentials for a token, such as gitlab.example; auth.docker.io is Docker's.",
  },
  ca_file: {
    section: 'upstream:NAME',
    type: 'string',
    format: 'path',
    help: "File with the certificates (PEM) that the upstream's own is to be signed by; empty: those that the system trusts.",
  },
  insecure: {
    section: 'upstream:NAME',
    type: 'boolean',
    default: false,
    help: 'Allow plain http and certificates that nobody vouches for.',
  },
  tag_ttl: {
    section: 'upstream:NAME',
    type: 'integer',
    default: 300,
    min: 0,
    unit: 's',
    help: 'A tag is asked for anew when it was last asked for so long ago.',
  },
  allow: {
    section: 'upstream:NAME',
    type: 'list',
    default: [],
    help: 'Patterns (* stands for anything) of the repositories that may be pulled, without NAME/; empty: all.',
  },
  deny: {
    section: 'upstream:NAME',
    type: 'list',
    default: [],
    help: 'Patterns of the repositories that may not be pulled, whatever allow says.',
  },
  sync: {
    section: 'upstream:NAME',
    type: 'list',
    default: [],
    help: 'Images that are fetched ahead of need, and kept fresh: REPOSITORY:TAG without NAME/; * in TAG stands for anything.',
  },
  sync_platforms: {
    section: 'upstream:NAME',
    type: 'list',
    default: [],
    help: 'Platforms of these images, such as linux/amd64; empty: all.',
  },
  sync_interval: {
    section: 'upstream:NAME',
    type: 'integer',
    min: 0,
    unit: 's',
    help: 'How often these images are fetched when they are new, instead of sync_interval of [registry]; 0: only by rackstrap registry sync.',
  },
  sync_at: {
    section: 'upstream:NAME',
    type: 'string',
    help: 'The same by a cron expression, such as 30 2 * * 6, instead of sync_interval.',
  },
  concurrency: {
    section: 'upstream:NAME',
    type: 'integer',
    default: 6,
    min: 1,
    max: 100,
    help: 'Blobs that are fetched from the upstream at one time; further ones wait.',
  },
  bandwidth_limit: {
    section: 'upstream:NAME',
    type: 'integer',
    default: 0,
    min: 0,
    unit: 'KiB/s',
    help: 'Most that blobs may take of the line to the upstream, all together; 0: no limit.',
  },
} as const

/** What a section has that sets nothing. */
export const UPSTREAM_DEFAULTS = Object.fromEntries(
  Object.entries(upstreamOptions).flatMap(([name, option]) => ('default' in option ? [[name, option.default]] : [])),
)

/** What stands in one section, as upstreamOptions have it. */
export type UpstreamSection = { name: string; values: Readonly<Record<string, unknown>> }

type Values = Omit<UpstreamConfig, 'name' | 'url' | 'credentials' | 'ca'> & {
  url?: string
  username?: string
  password?: string
  pull_secret?: string
  ca_file?: string
}

/** Reads the files that the section names. @throws RegistryError  in the operator's words */
export function readUpstream({ name, values }: UpstreamSection): UpstreamConfig {
  const { url: urlText, username, password, pull_secret, ca_file, ...plain } = values as Values
  const wrong = (text: string, cause?: unknown) => new RegistryError(`[upstream:${name}] ${text}`, { cause })
  const served = parseName(name)
  if (served === undefined)
    throw wrong('is no name that repositories can begin with: expected lower-case words such as quay.io.')
  const url = urlOf(urlText, (text) => wrong(`url ${text}`))
  if (url.protocol === 'http:' && !plain.insecure)
    throw wrong(`url is ${url.href}: plain http is done only with insecure = true.`)
  if ((username === undefined) !== (password === undefined))
    throw wrong(`${username === undefined ? 'username' : 'password'} is not set: both or neither are needed.`)
  if (username !== undefined && pull_secret !== undefined)
    throw wrong('pull_secret and username are both set: expected one of them.')
  const read = (option: string, path: string) => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw wrong(`${option} ${path} cannot be read: ${(error as Error).message}.`, error)
    }
  }
  const credentials =
    username !== undefined && password !== undefined
      ? { username, password }
      : pull_secret !== undefined
        ? credentialsIn(read('pull_secret', pull_secret), url.host)
        : undefined
  if (pull_secret !== undefined && credentials === undefined)
    throw wrong(`pull_secret ${pull_secret} has no username and password for ${url.host} under "auths".`)
  for (const text of plain.sync) checkSync(text, served, plain, wrong)
  if (plain.sync_at !== undefined) parseSchedule(plain.sync_at, (text) => wrong(`sync_at ${text}`))
  try {
    plain.sync_platforms.forEach(parsePlatform)
  } catch (error) {
    throw wrong(`sync_platforms: ${(error as Error).message}`, error)
  }
  return {
    name: served,
    url,
    ...plain,
    ...(credentials && { credentials }),
    ...(ca_file !== undefined && { ca: read('ca_file', ca_file) }),
  }
}

/** Of an image to be fetched ahead of need, without the upstream's name. */
export function parseSync(text: string): { repository: string; tags: string } | undefined {
  const [, repository, tags] = /^([^:]+):([\w.*-]+)$/.exec(text) ?? []
  return repository !== undefined && tags !== undefined ? { repository, tags } : undefined
}

function checkSync(
  text: string,
  name: string,
  policy: Pick<UpstreamConfig, 'allow' | 'deny'>,
  wrong: (text: string) => RegistryError,
): void {
  const parsed = parseSync(text)
  if (parsed === undefined || parseName(`${name}/${parsed.repository}`) === undefined)
    throw wrong(`sync has '${text}': expected REPOSITORY:TAG, such as org/app:v1 or org/app:1.*.`)
  if (!isAllowed(policy, parsed.repository))
    throw wrong(`sync has '${text}', which allow and deny do not let be pulled.`)
}

function urlOf(text: string | undefined, wrong: (text: string) => RegistryError): URL {
  if (text === undefined) throw wrong('is not set: expected the address of a registry, such as https://quay.io.')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw wrong(`is '${text.replace(/\/\/.*@/, '//***@')}': expected https://HOST or http://HOST.`)
  if (url.username || url.password) throw wrong('holds a username or password: set username and password instead.')
  if (url.search || url.hash || !/^\/(?:v2\/?)?$/.test(url.pathname))
    throw wrong(`is '${text}': expected an address without a path.`)
  url.pathname = '/'
  return url
}

/** Whether the upstream's own policy lets a repository be pulled. @param repository  without the upstream's name */
export function isAllowed({ allow, deny }: Pick<UpstreamConfig, 'allow' | 'deny'>, repository: string): boolean {
  const matches = (pattern: string) => patternOf(pattern).test(repository)
  return !deny.some(matches) && (allow.length === 0 || allow.some(matches))
}

/** * stands for anything. Runs of it are one: otherwise a pattern of many could take very long to fail. */
export const patternOf = (pattern: string) =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*')}$`)
