/**
 * Finds all that is wrong with a configuration before it is used, where a start reports the first error only. Changes
 * nothing.
 */
import type { Parse } from '@appliance/ground/credential-file'
import { openCredentials, parseHtpasswd, parseTokens } from './access/credentials.ts'
import { parseRules } from './access/rules.ts'
import type { RegistryConfig, RegistryLog, UpstreamConfig } from './config/config.ts'
import { scheduleFor } from './config/schedule.ts'
import { openCertificate } from './http/listen.ts'
import { RegistryError } from './oci/errors.ts'

/** Sentences for the operator. `errors` keep the registry from starting; `warnings` name what is probably not meant. */
export type Findings = { errors: readonly string[]; warnings: readonly string[] }

const nothing = () => {}
const SILENT: RegistryLog = { debug: nothing, info: nothing, warn: nothing, error: nothing }

export async function checkRegistry(config: RegistryConfig): Promise<Findings> {
  const errors: string[] = []
  const tried = async <T>(act: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      errors.push(error.message)
      return undefined
    }
  }
  const { htpasswd_file, token_file, access_rules } = config
  await tried(() => openCertificate(config, SILENT))
  for (const job of ['gc', 'scrub', 'sync'] as const) await tried(() => scheduleFor(config, job))
  const users = await tried(() => open('htpasswd_file', htpasswd_file, parseHtpasswd))
  const tokens = await tried(() => open('token_file', token_file, parseTokens))
  for (const rule of access_rules) await tried(() => parseRules([rule]))
  // The users of a file that cannot be read are not known.
  const strangers =
    errors.length > 0 ? [] : strangersIn(access_rules, [...(users?.keys ?? []), ...(tokens?.values ?? [])])
  return { errors, warnings: [...strangers, ...publicOf(config).map(warningOf)] }
}

/** Upstreams whose credentials serve everybody who reaches the registry. */
export const publicOf = ({ upstreams = [] }: Pick<RegistryConfig, 'upstreams'>): UpstreamConfig[] =>
  upstreams.filter(({ credentials, public: isPublic }) => credentials !== undefined && isPublic)

const warningOf = ({ name }: UpstreamConfig) =>
  `[upstream:${name}] public is True: whoever reaches the registry pulls with its credentials, private images too.`

const open = async (option: string, path: string | undefined, parse: Parse) =>
  path ? openCredentials({ path, option, parse }, SILENT) : undefined

/** Rules that name users who do not exist: a mistyped name lets nobody in. */
function strangersIn(texts: readonly string[], known: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const [rule] = parseRules([text])
    if (rule?.who === 'users' && known.length === 0)
      return [`[registry] access_rules: '${text}' is for users, and there are none: set htpasswd_file or token_file.`]
    if (typeof rule?.who !== 'object') return []
    return [...rule.who]
      .filter((name) => !known.includes(name))
      .map((name) => `[registry] access_rules: '${name}' of '${text}' is in neither htpasswd_file nor token_file.`)
  })
}
