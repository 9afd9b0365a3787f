/** What is wrong with a configuration before it is used: all of it at once, where a start tells the first. Changes nothing. */
import { CredentialFile, type Parse, parseHtpasswd, parseTokens } from './access/credentials.ts'
import { parseRules } from './access/rules.ts'
import { type RegistryConfig, RegistryError, type RegistryLog } from './config/config.ts'
import { Certificate } from './http/certificate.ts'
import { scheduleFor } from './config/schedule.ts'

/** In sentences for the operator: what keeps the registry from starting, and what is probably not meant. */
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
  await tried(() => Certificate.open(config, SILENT))
  for (const job of ['gc', 'scrub', 'sync'] as const) await tried(() => scheduleFor(config, job))
  const users = await tried(() => open('htpasswd_file', htpasswd_file, parseHtpasswd))
  const tokens = await tried(() => open('token_file', token_file, parseTokens))
  for (const rule of access_rules) await tried(() => parseRules([rule]))
  // With a file that cannot be read, who is in it is not known.
  const warnings =
    errors.length > 0 ? [] : strangersIn(access_rules, [...(users?.keys ?? []), ...(tokens?.values ?? [])])
  return { errors, warnings }
}

const open = async (option: string, path: string | undefined, parse: Parse) =>
  path ? CredentialFile.open({ path, option, parse }, SILENT) : undefined

/** Rules for nobody that there is: a name that was mistyped lets nobody in. */
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
