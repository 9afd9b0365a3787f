/**
 * A folder that stands for a machine in the deploy ramdisk, for steps of layers: its programs are this box's own, or
 * scripts.
 */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { StepAgent, StepContext, StepDisk, StepProgress } from '@appliance/pxe/agent-api'
import { createPrograms } from '../../../../pxe/ramdisk/agent/programs.ts'

export type LayerMachine = AsyncDisposable & {
  root: string
  agent: StepAgent
  context: StepContext
  disk: StepDisk
  /** What was shown, in order. */
  shown: StepProgress[]
  /** What the screen said. */
  said: string[]
  /** Config drives that the agent was to write. */
  config_drives: string[]
  /** Programs that are scripts, with their arguments, in the order of their calls. */
  calls(): Promise<string[]>
  write(path: string, content: string): Promise<void>
}

export type MachineOptions = {
  size_bytes?: number
  /** The kernel reads the partition table of its disk, the file dev/vda. */
  onReread?(root: string): Promise<void>
  /** Bodies of shell scripts. */
  programs?: Readonly<Record<string, string>>
  /** Programs of this box that it has, too. */
  real?: readonly string[]
}

const GIB = 1024 ** 3

export async function makeLayerMachine(options: MachineOptions = {}): Promise<LayerMachine> {
  const { size_bytes = 8 * GIB, onReread, programs = {}, real = [] } = options
  const root = await mkdtemp(join(tmpdir(), 'layer-'))
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  await write('run/calls.log', '')
  await write('proc/mounts', '')
  for (const [name, body] of Object.entries(programs)) await addProgram(root, name, body)
  for (const name of real) await addProgram(root, name, `PATH=/usr/sbin:/usr/bin:/sbin:/bin exec ${name} "$@"`)
  const disk = {
    name: '/dev/vda',
    size_bytes,
    logical_sector_bytes: 512,
    model: null,
    serial: null,
    rotational: false,
  }
  const [shown, said, config_drives]: [StepProgress[], string[], string[]] = [[], [], []]
  const say = (text: string) => void said.push(text)
  return {
    root,
    disk,
    shown,
    said,
    config_drives,
    write,
    context: { progress: (told) => void shown.push(told) },
    agent: {
      root,
      programs: createPrograms(root),
      screen: { say, progress: say, note: say },
      node: {},
      rootDevice: async () => disk,
      erasableDisks: async () => [disk],
      rereadPartitions: async () => onReread?.(root),
      async writeConfigDrive(_, text) {
        config_drives.push(text)
        return 4
      },
    },
    calls: async () => (await readFile(join(root, 'run/calls.log'), 'utf8')).trim().split('\n').filter(Boolean),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}

async function addProgram(root: string, name: string, body: string): Promise<void> {
  const path = join(root, 'usr/bin', name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\nroot='${root}'\necho "${name} $*" >>"$root/run/calls.log"\n${body}\n`)
  await chmod(path, 0o755)
}
