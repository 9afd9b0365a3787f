/** The Go toolchain of this box, for suites that come as Go code. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { cacheFolder } from './cache.ts'

/** Where Go is installed by hand, and Debian's. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin', '/usr/lib/go/bin']

/** undefined: there is none. Suites need 1.24 or newer, which Debian has since 13. */
export const go = FOLDERS.map((folder) => join(folder, 'go')).find((path) => existsSync(path))

/** @param what  is not proven then @returns what node:test takes as `skip`; said loudly, too */
export function withoutGo(what: string): string | false {
  if (go !== undefined) return false
  const skip = `${what} NOT PROVEN: the Go toolchain (1.24 or newer) is not installed`
  console.error(`\n*** ${skip} ***\n`)
  return skip
}

/** What is built stays in the cache, and can be deleted like the rest of it. */
export const goEnvironment = () => ({
  ...process.env,
  CGO_ENABLED: '0',
  GOFLAGS: '-modcacherw',
  GOCACHE: join(cacheFolder(), 'go'),
})
