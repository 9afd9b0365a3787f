/**
 * A bare machine: QEMU without KVM, a disk, a network card on its tap. Only its BMC switches it; it never starts by
 * itself.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, copyFileSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../../../appliance/ground/errno.ts'
import { type BootedMachines, type Memory, plug } from './booted.ts'
import { qmp } from './qmp.ts'

export const FIRMWARES = ['bios', 'uefi'] as const
export type Firmware = (typeof FIRMWARES)[number]
export type DiskBus = 'virtio' | 'nvme'
export type BootDevice = 'network' | 'disk' | 'cdrom'

export type MachineOptions = {
  name: string
  mac: string
  firmware: Firmware
  memory_mib: number
  /** Sparse: takes no room until something is written. 0: a machine without a disk. */
  disk_bytes: number
  /** virtio when left out. */
  disk_bus?: DiskBus | undefined
  tap: string
  /** Runs a command in the rack's network namespace. */
  enter: readonly string[]
  /** Holds its disk and sockets. */
  folder: string
  /** Everything the machine shows: firmware, boot loader, kernel. Its screen, for whoever has none. */
  console: string
  /** Where the serial line waits for one visitor, on the namespace's loopback. */
  console_port: number
  /** It has a graphics card, for systems that write to nothing else. */
  screen?: boolean | undefined
  /** Takes the machine to its booted agent, where that was kept. Left out: it boots, always. */
  booted?: BootedMachines | undefined
}

const DISKS: Readonly<Record<DiskBus, string>> = { virtio: 'virtio-blk-pci', nvme: 'nvme,serial=steel' }
const OVMF_CODE = '/usr/share/OVMF/OVMF_CODE_4M.fd'
const OVMF_VARS = '/usr/share/OVMF/OVMF_VARS_4M.fd'
/**
 * A second one would save a few seconds of 20, and now and then the kernel: QEMU 7.2 lets one emulated processor run
 * into the code that another one is patching ("Oops: int3" in sched_clock_cpu; seen in 2 of some 60 boots).
 */
const PROCESSORS = 1
/** Emulated AVX2 is slower than none: sha256 of OpenSSL takes 3.1 s for 60 MB with it, 1.4 s without (QEMU 7.2). */
const CPU = 'max,-avx,-avx2'
/** What comes first, and what after it. */
const BOOT_ORDER: Readonly<Record<BootDevice, readonly BootDevice[]>> = {
  network: ['network', 'disk', 'cdrom'],
  disk: ['disk', 'network', 'cdrom'],
  cdrom: ['cdrom', 'disk', 'network'],
}
/** 25 lines of 80 characters, each with its colours. */
const TEXT_MODE = { address: 0xb8000, bytes: 4000 }

export class Machine {
  readonly options: MachineOptions
  #process: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #boot: BootDevice = 'disk'
  #isStarting = false
  /** What its CD drive holds from the next power on; a machine without a disc has no drive. */
  #disc: string | undefined
  #hasDrive = false
  readonly #onPower: ((power: 'on' | 'off') => void)[] = []

  constructor(options: MachineOptions) {
    this.options = options
    writeFileSync(this.disk, '')
    truncateSync(this.disk, options.disk_bytes)
    writeFileSync(options.console, '')
    if (options.firmware === 'uefi') copyFileSync(OVMF_VARS, this.#file('uefi-vars.fd'))
  }

  get name(): string {
    return this.options.name
  }
  get disk(): string {
    return this.#file('disk.raw')
  }
  get power(): 'on' | 'off' {
    return this.#process === undefined ? 'off' : 'on'
  }
  get boot(): BootDevice {
    return this.#boot
  }
  /** Told of every change, also of those that the machine's own operating system makes. */
  onPower(listener: (power: 'on' | 'off') => void): void {
    this.#onPower.push(listener)
  }

  async powerOn(): Promise<void> {
    if (this.#process || this.#isStarting) return
    const { booted } = this.options
    if (booted === undefined || this.#boot !== 'network') return this.#start()
    this.#isStarting = true
    try {
      const memory = await booted.memoryFor(this.options)
      await plug(this.options, memory?.isKept ? 'out' : 'in')
      this.#start(memory, booted)
    } finally {
      this.#isStarting = false
    }
  }

  #start(memory?: Memory, booted?: BootedMachines): void {
    const incoming = memory?.isKept ? ['-incoming', `exec:zstd -qdc '${memory.file}'`] : []
    const shown_bytes = statSync(this.options.console).size
    const [command = '', ...args] = [
      ...this.options.enter,
      'qemu-system-x86_64',
      ...this.#arguments(incoming.length > 0),
      ...incoming,
    ]
    const output = openSync(this.#file('qemu.log'), 'a')
    const child = spawn(command, args, { detached: true, stdio: ['ignore', output, output] })
    this.#process = child
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    const gone = () => {
      if (this.#process !== child) return
      this.#process = undefined
      resolve()
      this.#tell('off')
    }
    child.once('exit', gone).once('error', gone)
    this.#tell('on')
    if (!memory || !booted) return
    const sockets = { qmp: this.#file('qmp'), console: this.#file('console') }
    const running = { options: this.options, ...sockets, shown_bytes, isOn: () => this.#process === child }
    if (!memory.isKept) return void booted.keep(running, memory).catch(() => {})
    // A memory that does not wake up is of no use: the machine boots as any other.
    void booted.goOn(running).catch(async (error: Error) => {
      if (!running.isOn()) return
      appendFileSync(this.options.console, `\nrack: the kept memory is dropped: ${error.message}\n`)
      await booted.forget(memory)
      await this.powerOff()
      await this.powerOn()
    })
  }

  /** As pulling the plug. */
  async powerOff(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#ended
  }

  /** As the power button: the operating system shuts down if it listens to it. */
  async softOff(): Promise<void> {
    if (this.#process) await qmp(this.#file('qmp'), { execute: 'system_powerdown' })
  }

  async reset(): Promise<void> {
    if (this.#process) await qmp(this.#file('qmp'), { execute: 'system_reset' })
  }

  /** Holds until it is changed, and for a running machine from its next reset on. */
  async setBootDevice(device: BootDevice): Promise<void> {
    this.#boot = device
    if (!this.#process) return
    const index = (path: string, value: number) => ({
      execute: 'qom-set',
      arguments: { path: `/machine/peripheral/${path}`, property: 'bootindex', value },
    })
    const present = (['disk', 'network', 'cdrom'] as const).filter(
      (name) => (name !== 'disk' || this.options.disk_bytes > 0) && (name !== 'cdrom' || this.#hasDrive),
    )
    if (present.length === 1) return
    // Two devices may not hold one index, not even for a moment.
    const away = present.map((name, at) => index(name, 9 - at))
    await qmp(this.#file('qmp'), ...away, ...present.map((name) => index(name, this.#bootIndex(name))))
  }

  /** As putting a disc into its drive; undefined: as taking it out. Counts from the next power on. */
  insert(disc: string | undefined): void {
    this.#disc = disc
  }

  /** What stands on its screen in text mode, 80 columns wide. For a machine that has one, by BIOS. */
  async screenText(): Promise<string> {
    const memory = await this.#seen('pmemsave', { val: TEXT_MODE.address, size: TEXT_MODE.bytes })
    return Buffer.from(memory.filter((_, index) => index % 2 === 0)).toString('latin1')
  }

  /** Its screen as a picture: a portable pixmap (P6). */
  screenshot(): Promise<Buffer> {
    return this.#seen('screendump', {})
  }

  /** Nothing from a machine that is off, or has just been switched on: QEMU does not listen yet. */
  async #seen(execute: 'pmemsave' | 'screendump', more: Record<string, unknown>): Promise<Buffer> {
    const filename = this.#file('seen')
    try {
      await qmp(this.#file('qmp'), { execute, arguments: { ...more, filename } })
      return readFileSync(filename)
    } catch (error) {
      if (['ENOENT', 'ECONNREFUSED'].includes(codeOf(error) ?? '')) return Buffer.alloc(0)
      throw error
    }
  }

  #tell(power: 'on' | 'off'): void {
    for (const listener of this.#onPower) listener(power)
  }

  #file(name: string): string {
    return join(this.options.folder, name)
  }

  #bootIndex(device: BootDevice): number {
    return BOOT_ORDER[this.#boot].indexOf(device)
  }

  #arguments(isResumed: boolean): string[] {
    const { mac, firmware, memory_mib, tap, console, console_port, name, disk_bytes, screen } = this.options
    const { disk_bus = 'virtio' } = this.options
    const disc = this.#disc
    this.#hasDrive = disc !== undefined
    const flash = (file: string, access: string) => ['-drive', `if=pflash,format=raw,file=${file}${access}`]
    // The BMC holds the port for serial over LAN; a machine that goes on is spoken to by the rack alone.
    const visitor = isResumed ? `path=${this.#file('console')}` : `host=127.0.0.1,port=${console_port},telnet=on`
    const serial = `${visitor},server=on,wait=off,logfile=${console},logappend=on`
    return [
      ...['-name', name, '-nodefaults', '-display', 'none'],
      // graphics=off: BIOS and boot loader write to the serial line what they would show on a screen.
      ...['-machine', 'q35,graphics=off', '-accel', 'tcg,thread=multi', '-cpu', CPU, '-smp', String(PROCESSORS)],
      ...['-m', String(memory_mib), '-boot', 'strict=on'],
      ...(screen ? ['-device', 'VGA'] : []),
      ...(firmware === 'uefi' ? [...flash(OVMF_CODE, ',readonly=on'), ...flash(this.#file('uefi-vars.fd'), '')] : []),
      ...['-chardev', `socket,id=console,${serial}`, '-serial', 'chardev:console'],
      ...['-qmp', `unix:${this.#file('qmp')},server=on,wait=off`],
      ...['-netdev', `tap,id=wire,ifname=${tap},script=no,downscript=no`],
      ...['-device', `virtio-net-pci,id=network,netdev=wire,mac=${mac},bootindex=${this.#bootIndex('network')}`],
      ...(disk_bytes > 0
        ? [
            ...['-drive', `if=none,id=steel,file=${this.disk},format=raw,discard=unmap,cache=unsafe`],
            ...['-device', `${DISKS[disk_bus]},id=disk,drive=steel,bootindex=${this.#bootIndex('disk')}`],
          ]
        : []),
      ...(disc === undefined
        ? []
        : [
            ...['-drive', `if=none,id=disc,file=${disc},format=raw,media=cdrom,readonly=on`],
            ...['-device', `ide-cd,id=cdrom,drive=disc,bootindex=${this.#bootIndex('cdrom')}`],
          ]),
    ]
  }
}
