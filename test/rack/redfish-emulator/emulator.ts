/**
 * A BMC that speaks Redfish, and that nobody here wrote: sushy-tools' emulator, from PyPI, over https. What it switches
 * on and off is the hook's affair.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { cached } from '../cache.ts'
import { run } from '../run-program.ts'

const SUSHY_TOOLS = 'sushy-tools==2.2.0'
const PREPARE_TIMEOUT_S = 300
const START_DEADLINE_MS = 60_000
const LOOK_INTERVAL_MS = 100

type EmulatedSystem = { uuid: string; name: string; mac: string; boot_mode: 'UEFI' | 'Legacy' }
export type EmulatorOptions = {
  /** Its own: certificate, state, images that were inserted. */
  folder: string
  /** Of the loopback. */
  port: number
  username: string
  password: string
  /** Where hooks are answered, on the loopback. */
  hook_port: number
  systems: readonly EmulatedSystem[]
  /** Network namespace to run in; that of the caller when left out. */
  netns?: string
}
/** `certificate`: of https, signed by itself. */
export type Emulator = { certificate: string; stop(): Promise<void> }

/** @returns the Python that has it @throws CommandFailed  PyPI does not give it */
async function ensureEmulator(signal: AbortSignal): Promise<string> {
  const folder = await cached('sushy-tools', '2.2.0', async (work) => {
    const limits = { signal, timeout_s: PREPARE_TIMEOUT_S }
    await run('python3', ['-m', 'venv', work], limits)
    const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check', '--no-input', 'install', SUSHY_TOOLS]
    await run(join(work, 'bin/python'), pip, limits)
  })
  return join(folder, 'bin/python')
}

/** @throws Error  with what it wrote, when it does not listen in time */
export async function startEmulator(options: EmulatorOptions, signal: AbortSignal): Promise<Emulator> {
  const { folder, port, netns } = options
  mkdirSync(join(folder, 'state'), { recursive: true })
  const python = await ensureEmulator(signal)
  const certificate = join(folder, 'certificate.pem')
  await makeCertificate(folder, signal)
  await writeAccount(python, options, signal)
  writeFileSync(join(folder, 'emulator.conf'), configuration(options))
  const args = [python, join(import.meta.dirname, 'rack_driver.py'), join(folder, 'emulator.conf')]
  const [command = '', ...rest] = netns ? ['ip', 'netns', 'exec', netns, ...args] : args
  const log = join(folder, 'emulator.log')
  const output = openSync(log, 'a')
  const env = { ...process.env, TMPDIR: folder }
  const child = spawn(command, rest, { cwd: folder, env, detached: true, stdio: ['ignore', output, output] })
  const ended = once(child, 'exit').catch(() => {})
  const deadline_ms = Date.now() + START_DEADLINE_MS
  while (!(await listens(child.pid ?? 0, port))) {
    if (Date.now() < deadline_ms && child.exitCode === null && child.pid !== undefined && !signal.aborted) continue
    child.kill('SIGKILL')
    throw new Error(`sushy-tools' emulator did not start on port ${port}: ${await readFile(log, 'utf8')}`)
  }
  return {
    certificate,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function makeCertificate(folder: string, signal: AbortSignal): Promise<void> {
  const out = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')]
  const subject = ['-subj', '/CN=bmc', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '30']
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...out], { signal, timeout_s: 60 })
}

/** With the fewest rounds: it is checked at each request. */
async function writeAccount(python: string, { folder, username, password }: EmulatorOptions, signal: AbortSignal) {
  const program = 'import bcrypt,sys; print(bcrypt.hashpw(sys.stdin.read().encode(), bcrypt.gensalt(4)).decode())'
  const hash = await run(python, ['-c', program], { input: password, signal, timeout_s: 60 })
  writeFileSync(join(folder, 'htpasswd'), `${username}:${hash.trim()}\n`, { mode: 0o600 })
}

/** JSON's texts, numbers and lists are Python's, too. */
function configuration({ folder, port, hook_port, systems }: EmulatorOptions): string {
  const options = {
    SUSHY_EMULATOR_LISTEN_IP: '127.0.0.1',
    SUSHY_EMULATOR_LISTEN_PORT: port,
    SUSHY_EMULATOR_SSL_CERT: join(folder, 'certificate.pem'),
    SUSHY_EMULATOR_SSL_KEY: join(folder, 'key.pem'),
    SUSHY_EMULATOR_AUTH_FILE: join(folder, 'htpasswd'),
    SUSHY_EMULATOR_STATE_DIR: join(folder, 'state'),
    RACK_HOOK_PORT: hook_port,
    RACK_SYSTEMS: systems,
  }
  return Object.entries(options)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join('')
}

/** Looks from outside whether somebody listens in the namespace of that process. */
async function listens(pid: number, port: number): Promise<boolean> {
  await setTimeout(LOOK_INTERVAL_MS)
  const table = await readFile(`/proc/${pid}/net/tcp`, 'utf8').catch(() => '')
  return table.toLowerCase().includes(`:${port.toString(16).padStart(4, '0')} 00000000:0000 0a`)
}
