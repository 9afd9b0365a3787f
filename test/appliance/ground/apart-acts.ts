/** What a function does that runs apart: well or badly behaved, by name. */
import { spawnSync } from 'node:child_process'
import { readFileSync, readSync, writeFileSync } from 'node:fs'
import type { ApartGiven } from '@appliance/ground/apart'

const ACTS = {
  adds: ({ numbers = [] }: Order) => numbers.reduce((sum, one) => sum + one, 0),
  reads: (_: Order, { files, input }: ApartGiven) =>
    files
      .map((file) => {
        const bytes = Buffer.alloc(100)
        return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0))
      })
      .join() + input,
  refuses: () => {
    throw new Error('This is no image.')
  },
  'never ends': () => {
    for (;;);
  },
  'fills its heap': () => {
    const kept: object[] = []
    for (;;) kept.push({ kept: [kept.length] })
  },
  'fills buffers': () => {
    const kept: Buffer[] = []
    for (;;) kept.push(Buffer.alloc(1024 * 1024, 1))
  },
  // What a thread with a limit of its heap does not survive, and neither does the process around it.
  'parses what is too deep': () => JSON.parse('['.repeat(40_000_000)),
  'says too much': () => 'x'.repeat(2_000_000),
  'reads what is not given': () => readFileSync('/etc/passwd', 'utf8'),
  'writes a file': ({ path = '' }: Order) => writeFileSync(path, 'x'),
  'starts a program': () => spawnSync('true').pid,
  'tells its environment': () => Object.keys(process.env),
} as const

type Order = { does: keyof typeof ACTS; numbers?: number[]; path?: string }

export const act = (order: Order, given: ApartGiven): unknown => ACTS[order.does](order, given)
