/**
 * A supervised dnsmasq in a network namespace of its own, where its ports are free: started by dnsmasq.test.ts as
 * `in-namespace.ts CONFIG` (JSON). Tells each log line on stdout, and obeys the words below on stdin.
 */
import { createSocket } from 'node:dgram'
import { mkdirSync, rmdirSync } from 'node:fs'
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { execa } from 'execa'
import { Dnsmasq } from '../../../pxe/dnsmasq/dnsmasq.ts'
import type { PxeConfig } from '../../../pxe/index.ts'

type Given = PxeConfig & { port67IsTaken?: boolean; goneFolder?: string }
const { port67IsTaken, goneFolder, ...config }: Given = JSON.parse(process.argv[2] ?? '')
const tell = (word: object) => process.stdout.write(`${JSON.stringify(word)}\n`)
const at = (level: string) => (message: string, fields?: object) => tell({ level, message, ...fields })

const addInterface = (name: string, address: string) =>
  execa('ip', ['-batch', '-'], {
    input: `link add ${name} type bridge\naddr add ${address}/24 dev ${name}\nlink set ${name} up\nlink set lo up\n`,
    timeout: 10_000,
  })

await addInterface('rack0', '192.168.50.1')
if (port67IsTaken) {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(67, '0.0.0.0', resolve))
}
if (goneFolder !== undefined) {
  mkdirSync(goneFolder)
  process.chdir(goneFolder)
  rmdirSync(goneFolder)
}
const dnsmasq = new Dnsmasq(config, { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') })
/** RFC 1350: a read request; the answer's first block holds all of a short file. */
function readByTftp(name: string): void {
  const client = createSocket('udp4')
  client.on('message', (packet) => {
    tell({ message: 'tftp', opcode: packet.readUInt16BE(0), text: packet.toString('latin1', 4) })
    client.close()
  })
  client.send(`\0\x01${name}\0octet\0`, 69, '192.168.50.1')
}
/** A machine at the other end of a cable, in a namespace of its own. */
async function askForAddress(): Promise<void> {
  const machine = execa('unshare', ['--net', process.execPath, join(import.meta.dirname, 'dhcp-client.ts')], {
    timeout: 30_000,
  })
  await inNamespaceOfItsOwn(machine.pid)
  await execa('ip', ['-batch', '-'], {
    input: `link add cable type veth peer name card netns ${machine.pid}\nlink set cable master rack0\nlink set cable up\n`,
    timeout: 10_000,
  })
  await execa('nsenter', [`--net=/proc/${machine.pid}/ns/net`, 'ip', '-batch', '-'], {
    input: 'addr add 192.168.50.9/24 dev card\nlink set card up\nroute add default dev card\n',
    timeout: 10_000,
  })
  machine.stdin.write('ask\n')
  tell({ message: 'offer', options: JSON.parse((await machine).stdout) })
}

async function inNamespaceOfItsOwn(pid: number | undefined): Promise<void> {
  const ours = await readlink('/proc/self/ns/net')
  for (let i = 0; i < 500; i++) {
    if ((await readlink(`/proc/${pid}/ns/net`)) !== ours) return
    await setTimeout(10)
  }
  throw new Error('the machine has no network namespace of its own after 5 s')
}
const commands: Record<string, () => Promise<void>> = {
  async health() {
    const { healthy, message: why } = dnsmasq.health()
    tell({ message: 'health', healthy, why })
  },
  async plug() {
    await addInterface('eth9', '192.168.50.3')
  },
  async tftp() {
    readByTftp('undionly.kpxe')
  },
  discover: askForAddress,
  async stop() {
    const began = performance.now()
    await dnsmasq.stop()
    tell({ message: 'stopped', took_ms: performance.now() - began })
    process.exit(0)
  },
}
createInterface({ input: process.stdin }).on('line', (line) => void commands[line]?.())
await dnsmasq.start().then(
  () => tell({ message: 'start is over' }),
  (error) => tell({ message: 'start is over', failed: error.message, name: error.name }),
)
