/**
 * Who else could write what the appliance runs or believes, and who could read its secrets: the configuration, and the
 * files and folders that options with `holds` name. Reads nothing of them.
 */
import { hasChoices, type Value } from '../config/values.ts'
import type { Options } from '../plugin-api/index.ts'
import { isReadByOthers, trustedAccounts, whoElseWrites } from '../plugin-host/trust.ts'

type Table = { options: Options; values: Readonly<Record<string, Value | undefined>> }
type Looked = { state_path: string; file: string | undefined; tables: readonly Table[] }
type Named = { what: string; path: string; holds: 'trust' | 'secret' }

/** Keys of values that are secrets when they are set in the file. */
const SECRET_OPTION = /password|secret|token$|_key$/

/** @returns errors: what others may write; warnings: secrets that others may read */
export function trustFindings({ state_path, file, tables }: Looked): { errors: string[]; warnings: string[] } {
  const accounts = trustedAccounts(state_path)
  const named = [...configuration(file, tables), ...tables.flatMap(namedIn)]
  return {
    errors: named.flatMap(({ what, path }) => {
      const found = whoElseWrites(path, accounts)
      if (found === undefined) return []
      return [
        `${what} ${path} is refused: ${found.path} ${found.problem}, and the appliance does what it says. Look who wrote it, then: chown root: ${found.path}, and chmod go-w ${found.path}.`,
      ]
    }),
    warnings: named
      .filter(({ path, holds }) => holds === 'secret' && isReadByOthers(path))
      .map(
        ({ what, path }) =>
          `${what} ${path} holds secrets, and every account of this box may read it: chmod o-r ${path}.`,
      ),
  }
}

function configuration(file: string | undefined, tables: readonly Table[]): Named[] {
  if (file === undefined) return []
  const hasSecret = tables.some(({ options, values }) =>
    Object.entries(options).some(
      ([name, option]) => SECRET_OPTION.test(name) && !hasChoices(option) && Boolean(values[name]),
    ),
  )
  return [{ what: 'The configuration file', path: file, holds: hasSecret ? 'secret' : 'trust' }]
}

/** The files and folders that options with `holds` name. @param values  by name of the option */
export function namedIn({ options, values }: { options: Options; values: object }): Named[] {
  const given = new Map<string, unknown>(Object.entries(values))
  return Object.entries(options).flatMap(([name, { section, holds }]) => {
    const paths = holds === undefined ? [] : [given.get(name)].flat().filter((value) => typeof value === 'string')
    return paths.flatMap((path) =>
      path.startsWith('/') && holds ? [{ what: `[${section}] ${name}`, path, holds }] : [],
    )
  })
}
