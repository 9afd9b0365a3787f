/** Where this box gets its Debian packages from: the image comes from there too. Never names a server itself. */
import { readFile } from 'node:fs/promises'
import { run } from '../run-program.ts'

/**
 * @returns the address of the archive that this box's own apt sources name for its release
 * @throws Error  no such source
 */
export async function debianArchive(signal?: AbortSignal): Promise<string> {
  const release = /^VERSION_CODENAME=(\S+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1] ?? ''
  const format = '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)'
  const targets = await run('apt-get', ['indextargets', '--format', format], { signal, timeout_s: 30 })
  for (const line of targets.split('\n')) {
    const [created, suite, component, address] = line.split(' ')
    if (created === 'Packages' && component === 'main' && suite === release && address) return address
  }
  throw new Error(
    `apt's sources name no Debian archive for ${release || 'this release'}: add one to /etc/apt/sources.list`,
  )
}
