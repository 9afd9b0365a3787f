/**
 * The rack's own network: a namespace with a bridge and one tap for each machine. Nothing of the box's own network
 * changes.
 */
import { run } from '../run-program.ts'

export const BRIDGE = 'rack0'
export const ADDRESS = '172.22.0.1'
const ADDRESS_6 = 'fd66::1'

export type Network = {
  namespace: string
  taps: readonly string[]
  /** What a command line begins with to run in the namespace. */
  enter: readonly string[]
  /** Bytes that went over the wire to each machine since the network was made, in the order of the taps. */
  bytesToMachines(): Promise<number[]>
  /** Ends every process in the namespace, and removes it. */
  remove(): Promise<void>
}

/** @param machines  how many taps */
export async function createNetwork(namespace: string, machines: number, signal: AbortSignal): Promise<Network> {
  const taps = Array.from({ length: machines }, (_, index) => `machine${index + 1}`)
  const enter = ['ip', 'netns', 'exec', namespace]
  await run('ip', ['netns', 'add', namespace], { signal, timeout_s: 30 })
  const steps = [
    'link set lo up',
    `link add ${BRIDGE} type bridge forward_delay 0`,
    `addr add ${ADDRESS}/24 dev ${BRIDGE}`,
    // iPXE waits for a router advertisement where a link has IPv6; nodad: an address in probation cannot be bound to.
    `addr add ${ADDRESS_6}/64 dev ${BRIDGE} nodad`,
    `link set ${BRIDGE} up`,
    ...taps.flatMap((tap) => [`tuntap add ${tap} mode tap`, `link set ${tap} master ${BRIDGE} up`]),
  ]
  await run('ip', ['-netns', namespace, '-batch', '-'], { signal, timeout_s: 30, input: `${steps.join('\n')}\n` })
  return {
    namespace,
    taps,
    enter,
    bytesToMachines: () => countBytes(namespace, taps),
    remove: () => removeNetwork(namespace),
  }
}

async function countBytes(namespace: string, taps: readonly string[]): Promise<number[]> {
  const links = JSON.parse(await run('ip', ['-netns', namespace, '-json', '-stats', 'link', 'show'], { timeout_s: 10 }))
  const sent = new Map<string, number>()
  for (const link of links) sent.set(link.ifname, link.stats64?.tx?.bytes ?? 0)
  return taps.map((tap) => sent.get(tap) ?? 0)
}

export async function removeNetwork(namespace: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const pids = await processesIn(namespace)
    for (const pid of pids) end(pid, signal)
    if (signal === 'SIGTERM') await goneWithin(pids, 3_000)
  }
  await run('ip', ['netns', 'delete', namespace], { timeout_s: 30 }).catch(async (error) => {
    if ((await namespaces()).includes(namespace)) throw error
  })
}

export async function namespaces(): Promise<string[]> {
  const lines = await run('ip', ['netns', 'list'], { timeout_s: 10 })
  return lines.split('\n').flatMap((line) => line.split(' ')[0] || [])
}

async function processesIn(namespace: string): Promise<number[]> {
  const pids = await run('ip', ['netns', 'pids', namespace], { timeout_s: 10 }).catch(() => '')
  return pids.split('\n').filter(Boolean).map(Number)
}

async function goneWithin(pids: readonly number[], deadline_ms: number): Promise<void> {
  const end_at = Date.now() + deadline_ms
  while (Date.now() < end_at && pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20))
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
