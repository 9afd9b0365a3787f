/**
 * Debian's packages, unpacked and nothing else: no maintainer script runs, nothing is configured, so it takes
 * seconds.
 */
import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { PxeError } from '../config.ts'
import { isNotInstalled, runMmdebstrap } from './mmdebstrap.ts'
import { SUITE } from './recipe.ts'

export type UnpackOptions = {
  packages: readonly string[]
  components: readonly string[]
  /** Where to; must not exist. */
  folder: string
  /** Address of a Debian archive; left out: the one of this box's own apt sources, else mmdebstrap's default. */
  mirror?: string | undefined
  signal: AbortSignal
  /** Called with what goes on, e.g. "downloading 12 Debian packages (5887 kB)". */
  tell?: (doing: string) => void
}

const run = promisify(execFile)
const TIMEOUT_MS = 15 * 60_000
/** Debian 12's package has it since 2023.3+deb12u2 (Debian 12.10). */
const KEY = '/usr/share/keyrings/debian-archive-trixie-stable.gpg'

/** @throws PxeError  mmdebstrap's last words, or what this box lacks */
export async function unpackPackages(options: UnpackOptions): Promise<void> {
  const { packages, components, folder, signal, tell } = options
  if (process.getuid?.() !== 0) {
    throw new PxeError("Only root can unpack the ramdisk's packages as they are. Run the command again with sudo.")
  }
  await access(KEY).catch((cause: Error) => {
    const how = 'Install or upgrade the Debian package debian-archive-keyring: it must know Debian 13'
    throw new PxeError(`${KEY} is not there. ${how}.`, { cause })
  })
  const mirror = options.mirror ?? (await archiveOfThisBox(signal))
  const args = [
    '--variant=extract',
    '--mode=root',
    '--format=directory',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Acquire::Retries "3"',
    '--aptopt=APT::Install-Recommends "false"',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    '--dpkgopt=path-exclude=/usr/share/man/*',
    `--components=${components.join(',')}`,
    `--include=${packages.join(',')}`,
    SUITE,
    folder,
    ...(mirror ? [mirror] : []),
  ]
  try {
    await runMmdebstrap(args, { temporary: `${folder}.tmp`, timeout_ms: TIMEOUT_MS, signal, tell })
  } catch (error) {
    signal.throwIfAborted()
    throw new PxeError(`The ramdisk's packages cannot be unpacked: ${reasonOf(error)}`, { cause: error })
  }
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string }
  if (isNotInstalled(error)) return 'mmdebstrap is not installed. Install the Debian package mmdebstrap.'
  return stderr?.trim().split('\n').slice(-4).join(' | ') || message
}

/** undefined on a box that is not Debian, or has no archive in its sources. */
async function archiveOfThisBox(signal: AbortSignal): Promise<string | undefined> {
  const release = /^VERSION_CODENAME=(\S+)$/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1]
  const format = '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)'
  const { stdout } = await run('apt-get', ['indextargets', '--format', format], { signal, timeout: 30_000 }).catch(
    // Without apt there are no sources either; mmdebstrap says what it misses.
    () => ({ stdout: '' }),
  )
  const targets = stdout.split('\n').map((line) => line.split(' '))
  return targets.find(([by, suite, part]) => by === 'Packages' && part === 'main' && suite === release)?.[3]
}
