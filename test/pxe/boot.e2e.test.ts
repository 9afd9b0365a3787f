/**
 * Real firmware and the iPXE of Debian against the real thing: what is on the wire, in the log and on the machine's
 * screen.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { MachineBoot, PxeConfig } from '../../pxe/index.ts'
import { readable } from '../rack/steel/console.ts'
import { type Firmware, Machine } from '../rack/steel/machine.ts'
import { ADDRESS, BRIDGE, createNetwork, type Network } from '../rack/steel/network.ts'
import { exampleConfig } from './example-config.ts'

const MAC = '52:54:00:22:00:01'
const agent: MachineBoot = {
  kind: 'agent',
  node: '5f2c1d',
  name: 'n1',
  parameters: [['echo', 'two words']],
  layers: ['podman'],
  files: [{ path: '/etc/containers/auth.json', content: '{}' }],
}
const disk: MachineBoot = { kind: 'disk', node: '5f2c1d', name: 'n1', why: 'it is active || reboot ${net0/mac}.' }
/** What stands in for a kernel: iPXE itself, in the form that the firmware takes. */
const KERNELS = { bios: '/usr/lib/ipxe/ipxe.lkrn', uefi: '/usr/lib/ipxe/ipxe.efi' } as const

type Line = { message: string; [field: string]: unknown }

async function startRack(t: TestContext, firmware: Firmware, decisions: readonly MachineBoot[]) {
  const folder = await mkdtemp(join(tmpdir(), 'pxe-e2e-'))
  const signal = AbortSignal.any([t.signal, AbortSignal.timeout(100_000)])
  await using started = new AsyncDisposableStack()
  started.defer(() => rm(folder, { recursive: true, force: true }))
  const network = await createNetwork(`pxe-e2e-${process.pid}`, 1, signal)
  started.defer(() => network.remove())
  const lines = await startPxe(folder, network, firmware, decisions)
  const machine = new Machine({
    ...{ name: 'n1', mac: MAC, firmware, memory_mib: 512, disk_bytes: 1024 * 1024, tap: network.taps[0] ?? '' },
    ...{ enter: network.enter, folder, console: join(folder, 'console'), console_port: 7000 },
  })
  started.defer(() => machine.powerOff())
  await writeFile(machine.disk, bootSector('DISK BOOTED'), { flag: 'r+' })
  await machine.setBootDevice('network')
  const ended = started.move()
  t.after(() => ended.disposeAsync())
  const screenShows = async (words: string, times = 1) => {
    for (;;) {
      // The screen wraps at 80 columns.
      const text = readable(await readFile(machine.options.console, 'utf8'))
      if (text.replaceAll('\n', '').split(words).length > times) return
      if (signal.aborted) throw new Error(`the screen never showed "${words}":\n${text}`)
      await setTimeout(100)
    }
  }
  return { machine, lines, screenShows }
}

async function startPxe(folder: string, network: Network, firmware: Firmware, decisions: readonly MachineBoot[]) {
  const config: PxeConfig = exampleConfig(folder, {
    http_url: `http://${ADDRESS}:8080`,
    interface: BRIDGE,
    dhcp_ranges: ['172.22.0.50,172.22.0.250,255.255.255.0,10m', 'fd66::,ra-only'],
    dnsmasq_options: ['no-ping'],
    ipxe_path: '/usr/lib/ipxe',
  })
  await mkdir(config.ramdisk_path)
  await copyFile(KERNELS[firmware], join(config.ramdisk_path, 'kernel-1'))
  const index = {
    kernel: 'kernel-1',
    core: ['core-1.cpio'],
    layers: { podman: 'podman-1.cpio' },
    kernel_params: 'nofb',
  }
  await writeFile(join(config.ramdisk_path, 'ramdisk.json'), JSON.stringify(index))
  for (const name of ['core-1.cpio', 'podman-1.cpio']) await writeFile(join(config.ramdisk_path, name), name)
  const program = join(import.meta.dirname, 'appliance-on-paper.ts')
  const words = [...network.enter, process.execPath, program, JSON.stringify(config), JSON.stringify(decisions)]
  const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: Line[] = []
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)))
  while (!lines.some(({ message }) => message === 'dnsmasq started')) {
    await once(reader, 'line', { signal: AbortSignal.timeout(15_000) })
  }
  return lines
}

/**
 * Writes the words to the serial line, and stops. 16-bit code: mov dx,0x3f8; for each letter mov al,..; out dx,al;
 * hlt; jmp.
 */
function bootSector(words: string): Buffer {
  const sector = Buffer.alloc(512)
  const letters = [...Buffer.from(`\r\n${words}\r\n`)].flatMap((letter) => [0xb0, letter, 0xee])
  sector.set([0xba, 0xf8, 0x03, ...letters, 0xf4, 0xeb, 0xfd])
  sector.set([0x55, 0xaa], 510)
  return sector
}

/** What the log tells of scripts and files, in order. */
const told = (lines: readonly Line[]) =>
  lines.flatMap(({ message, boot, name, files }) =>
    /^(boot|machine) /.test(message) ? `${message}: ${boot ?? name ?? files}` : [],
  )

describe('network boot of a machine', { timeout: 120_000 }, () => {
  it('on BIOS: unknown machines are told how to be enrolled, deployed ones boot their disk', async (t) => {
    const { machine, lines, screenShows } = await startRack(t, 'bios', [{ kind: 'unknown', mac: MAC }, disk])

    machine.powerOn()
    await screenShows(`Rackstrap: no node has the network card ${MAC}. To enroll it:`)
    await screenShows(`baremetal port create --node NODE ${MAC}`)
    await screenShows('No network card of this machine is known: nothing is deployed.')
    await machine.reset()
    await screenShows('Rackstrap: node n1 (5f2c1d) boots from its own disk: it is active "||" reboot $ {net0/mac}.')
    await screenShows('DISK BOOTED')

    assert.deepEqual(
      lines.filter(({ message }) => message === 'boot script served').map(({ mac, boot }) => [mac, boot]),
      [
        [MAC, 'unknown'],
        [MAC, 'disk'],
      ],
    )
    assert.match(String(lines.find(({ message }) => message === 'dhcp lease')?.ip), /^172\.22\.0\.\d+$/)
  })

  for (const firmware of ['bios', 'uefi'] as const) {
    it(`on ${firmware}: fetches kernel, core, layers and its own files, in this order, and starts the kernel`, async (t) => {
      const { machine, lines, screenShows } = await startRack(t, firmware, [agent])

      machine.powerOn()
      await screenShows('Rackstrap: node n1 (5f2c1d) boots the deploy ramdisk.')
      await screenShows(`http://${ADDRESS}:8080/boot/files/podman-1.cpio... ok`)
      await screenShows(`http://${ADDRESS}:8080/boot/${MAC.replaceAll(':', '-')}.cpio... ok`)
      // The second time it is what stands in for the kernel.
      await screenShows('iPXE initialising devices...', 2)

      assert.deepEqual(told(lines).slice(0, 5), [
        'boot script served: agent',
        'boot file served: kernel-1',
        'boot file served: core-1.cpio',
        'boot file served: podman-1.cpio',
        'machine files served: 1',
      ])
    })
  }
})
