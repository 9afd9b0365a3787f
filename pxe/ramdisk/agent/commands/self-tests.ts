/** The long self-test of disks, which they run by themselves. @source ironic-python-agent burnin.py _run_smart_test */
import { setTimeout as pause } from 'node:timers/promises'
import { diskPath } from '../disk/disk-file.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import type { AgentContext } from './context.ts'

type Agent = Pick<AgentContext, 'root' | 'programs' | 'screen'>

const LOOK_MS = 30_000

/** Disks that tell nothing of it count as sound. @throws AgentError CleaningError  with those that do not pass */
export async function runSelfTests(
  agent: Agent,
  disks: readonly Disk[],
  { limit_s, look_ms = LOOK_MS }: { limit_s: number; look_ms?: number },
): Promise<void> {
  const deadline_ms = performance.now() + limit_s * 1000
  const failures: string[] = []
  const tested = await Promise.all(disks.map((disk) => isStarted(agent, disk, failures)))
  let left = disks.filter((_, index) => tested[index])
  for (;;) {
    const told = await Promise.all(left.map((disk) => statusOf(agent, disk)))
    for (const [index, disk] of left.entries()) {
      const status = told[index]
      if (status === undefined || /in progress|completed without error/.test(status)) continue
      failures.push(`${disk.name}: ${status}`)
    }
    left = left.filter((_, index) => told[index]?.includes('in progress'))
    if (left.length === 0) break
    if (performance.now() + look_ms > deadline_ms) {
      failures.push(...left.map(({ name }) => `${name}: did not end within ${limit_s} s`))
      break
    }
    await pause(look_ms)
  }
  if (failures.length > 0) throw new AgentError('CleaningError', `SMART self-test failed: ${failures.join('; ')}`)
}

async function isStarted({ root, programs, screen }: Agent, disk: Disk, failures: string[]): Promise<boolean> {
  try {
    await programs.run('smartctl', ['-t', 'long', diskPath(root, disk)])
    screen.say(`${disk.name} tests itself`)
    return true
  } catch (error) {
    failures.push(`${disk.name}: it does not start (${messageOf(error)})`)
    return false
  }
}

async function statusOf({ root, programs, screen }: Agent, disk: Disk): Promise<string | undefined> {
  try {
    const told: unknown = JSON.parse(await programs.run('smartctl', ['-ja', diskPath(root, disk)]))
    const { string: status } = (told as { ata_smart_data: { self_test: { status: { string: unknown } } } })
      .ata_smart_data.self_test.status
    return typeof status === 'string' ? status.slice(0, 200) : undefined
  } catch (error) {
    screen.note(`${disk.name}: ${messageOf(error)}`)
    return undefined
  }
}
