/**
 * Machines that have booted the deploy ramdisk before. A machine that boots it by network is frozen once, when its
 * agent is up and has not yet reached its appliance; the next one of the same kind goes on from there, a second or
 * two after its power is on.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { run } from '../run-program.ts'
import { BRIDGE } from './network.ts'
import { askQemu, qmp } from './qmp.ts'

/** What the machine shows: init has started; the agent runs and is without a network. */
const STARTED = /Rackstrap deploy ramdisk, Linux/
const WAITING = [/asking for an address on/, /Rackstrap deploy agent/]
/** In the address at which the agent asks: of each boot another one, which is not looked at here. */
const BOOT_NUMBER = /\/agent\/~[\w-]+/
const BOOT_DEADLINE_MS = 120_000
const FREEZE_DEADLINE_MS = 60_000
const RESUME_DEADLINE_S = 30
const LOOK_INTERVAL_MS = 50
/** Each is some 100 MB. */
const KEPT = 12
const SOURCES = ['booted.ts', 'machine.ts'].map((name) => join(import.meta.dirname, name))

/** What a machine is, as far as it is in its memory, and how it is reached. */
type Steel = {
  name: string
  mac: string
  firmware: string
  memory_mib: number
  disk_bytes: number
  tap: string
  enter: readonly string[]
  console: string
}

/** The state of a machine's memory and devices, as QEMU migrates it. */
export type Memory = { file: string; isKept: boolean }
/** A machine that QEMU is running; `qmp` and `console` are sockets. */
export type Running = { options: Steel; qmp: string; console: string; shown_bytes: number; isOn(): boolean }

export type BootedOptions = {
  /** Keeps the memories; may be emptied at any time. */
  folder: string
  /** What the appliance gives a card to boot by, as iPXE would ask for it. @throws Error  it does not answer */
  scriptFor(mac: string): Promise<string>
}

export class BootedMachines {
  readonly options: BootedOptions

  constructor(options: BootedOptions) {
    this.options = options
  }

  /**
   * For a machine whose power comes on, with the network first. undefined: it is not the deploy ramdisk alone that it
   * would boot.
   */
  async memoryFor(machine: Steel): Promise<Memory | undefined> {
    const script = await this.options.scriptFor(machine.mac).catch(() => '')
    const lines = script
      .split('\n')
      .filter((line) => /^(kernel|initrd) /.test(line))
      .map((line) => line.replace(BOOT_NUMBER, ''))
    // Files for this machine alone are of this deploy alone.
    if (lines.length === 0 || /\.cpio /.test(script)) return undefined
    const file = join(this.options.folder, `${await digestOf(machine, lines)}.zst`)
    const now = new Date()
    const isKept = await utimes(file, now, now).then(
      () => true,
      () => false,
    )
    return { file, isKept }
  }

  /**
   * Freezes the machine when its agent waits for a network, keeps what it is, and lets it go on. A machine that is
   * switched off meanwhile is not kept.
   */
  async keep(machine: Running, { file }: Memory): Promise<void> {
    const work = `${file}.${process.pid}-${machine.options.name}`
    await mkdir(this.options.folder, { recursive: true })
    await shows(machine, [STARTED])
    await plug(machine.options, 'out')
    try {
      await shows(machine, WAITING)
      await qmp(machine.qmp, { execute: 'stop' })
      await migrate(machine, work)
      await rename(work, file)
    } finally {
      await rm(work, { force: true })
      if (machine.isOn()) await qmp(machine.qmp, { execute: 'cont' }).catch(() => {})
      await plug(machine.options, 'in')
      await forgetOldest(this.options.folder)
    }
  }

  async forget({ file }: Memory): Promise<void> {
    await rm(file, { force: true })
  }

  /**
   * Of a machine that was started with the memory: its disk is another one by now, so the kernel reads that anew
   * before the agent gets on.
   */
  async goOn(machine: Running): Promise<void> {
    await runs(machine)
    if (machine.options.disk_bytes > 0) await typeAndWait(machine.console, 'blockdev --rereadpt /dev/vda')
    await plug(machine.options, 'in')
  }
}

/** Whatever else is in the script (who it is for) is not in the machine's memory. */
async function digestOf(machine: Steel, lines: readonly string[]): Promise<string> {
  const { firmware, memory_mib, disk_bytes, mac } = machine
  const hash = createHash('sha256').update(JSON.stringify({ firmware, memory_mib, disk_bytes, mac, lines }))
  hash.update(await run('qemu-system-x86_64', ['--version']))
  for (const source of SOURCES) hash.update(await readFile(source))
  return hash.digest('hex').slice(0, 16)
}

/** The machine's cable, at the other end: the machine itself notices nothing. */
export async function plug({ enter, tap }: Steel, way: 'in' | 'out'): Promise<void> {
  const [command = '', ...args] = enter
  const master = way === 'in' ? ['master', BRIDGE] : ['nomaster']
  await run(command, [...args, 'ip', 'link', 'set', tap, ...master], { timeout_s: 10 })
}

async function shows(machine: Running, words: readonly RegExp[]): Promise<void> {
  const end_at = Date.now() + BOOT_DEADLINE_MS
  for (;;) {
    const text = (await readFile(machine.options.console)).subarray(machine.shown_bytes).toString('latin1')
    if (words.every((word) => word.test(text))) return
    if (!machine.isOn()) throw new Error(`${machine.options.name} was switched off`)
    if (Date.now() > end_at) throw new Error(`${machine.options.name} does not show ${words.join(' and ')}`)
    await setTimeout(LOOK_INTERVAL_MS)
  }
}

/**
 * QEMU opens its socket a moment after it was started, and has the machine paused, as it was kept, when it has read
 * all of its memory.
 */
async function runs(machine: Running): Promise<void> {
  const end_at = Date.now() + RESUME_DEADLINE_S * 1000
  const ask = () => askQemu<{ status: string }>(machine.qmp, { execute: 'query-status' })
  for (;;) {
    const { status } = await ask().catch((error: Error) => ({ status: error.message }))
    if (status === 'running') return
    if (status === 'paused') await qmp(machine.qmp, { execute: 'cont' })
    if (!machine.isOn() || Date.now() > end_at) throw new Error(`${machine.options.name} does not go on: ${status}`)
    await setTimeout(LOOK_INTERVAL_MS)
  }
}

async function migrate(machine: Running, file: string): Promise<void> {
  const uri = `exec:zstd -q -1 -T0 -o '${file}'`
  const fast = { 'max-bandwidth': 10 * 1024 ** 3 }
  await qmp(
    machine.qmp,
    { execute: 'migrate-set-parameters', arguments: fast },
    { execute: 'migrate', arguments: { uri } },
  )
  const end_at = Date.now() + FREEZE_DEADLINE_MS
  for (;;) {
    const { status = 'setup' } = await askQemu<{ status?: string }>(machine.qmp, { execute: 'query-migrate' })
    if (status === 'completed') return
    if (status === 'failed' || Date.now() > end_at) throw new Error(`the memory of ${machine.options.name}: ${status}`)
    await setTimeout(LOOK_INTERVAL_MS)
  }
}

/**
 * By the shell that the kernel parameter agent-shell opens on the serial line.
 * @param socket  the serial line, of nobody else
 */
async function typeAndWait(socket: string, words: string): Promise<void> {
  const line = connect(socket)
  line.setTimeout(RESUME_DEADLINE_S * 1000, () => line.destroy(new Error(`no answer to "${words}"`)))
  // The echo of what is typed is not yet the answer.
  // In the background: the shell may not have the terminal that its jobs would be put in front of.
  line.write(`\n${words} & wait $!; echo fini''shed\n`)
  let answer = ''
  for await (const text of line.setEncoding('latin1')) {
    answer += text
    if (answer.includes('finished')) return
  }
  throw new Error(`the serial line was closed before the answer to "${words}"`)
}

async function forgetOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.zst'))
  const used = await Promise.all(
    names.map(async (name) => ({
      name,
      at: await stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    })),
  )
  const old = used.sort((one, other) => other.at - one.at).slice(KEPT)
  for (const { name } of old) await rm(join(folder, name), { force: true })
}
