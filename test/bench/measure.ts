/**
 * What the benchmarks share: CPU time and memory of processes, tables on stdout, results in the cache. Asserts
 * nothing.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { cacheFolder } from '../rack/cache.ts'

export const MIB = 1024 * 1024
export const GIB = 1024 * MIB

let ticks: number | undefined
/** @source proc(5): stat counts in clock ticks; the kernel has told 100 a second for decades, but it may be asked. */
const ticksPerSecond = () => {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}

/** User and system time of a process with all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold anything, blanks included. Fields count from 3 behind it: utime is 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond()
}

/** The same of a process and its children, e.g. of a master and its workers. */
export function cpuSecondsOfFamily(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return [pid, ...children.map(Number)].reduce((sum, one) => sum + cpuSeconds(one), 0)
}

export function memoryMib(pid: number): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN)
  return { rss: round(kib('VmRSS') / 1024), peak: round(kib('VmHWM') / 1024) }
}

export const round = (value: number, digits = 1) => Number(value.toFixed(digits))
export const secondsSince = (began_ms: number) => round((performance.now() - began_ms) / 1000, 2)

export type Row = Readonly<Record<string, string | number | undefined>>

/** Columns in the order in which the rows first name them; numbers to the right. */
export function printTable(title: string, rows: readonly Row[]): void {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cell = (row: Row, column: string) => String(row[column] ?? '-')
  const width = (column: string) => Math.max(column.length, ...rows.map((row) => cell(row, column).length))
  const lines = rows.map((row) =>
    columns
      .map((column) =>
        typeof row[column] === 'string'
          ? cell(row, column).padEnd(width(column))
          : cell(row, column).padStart(width(column)),
      )
      .join('  '),
  )
  const head = columns.map((column) =>
    rows.every((row) => typeof row[column] === 'string')
      ? column.padEnd(width(column))
      : column.padStart(width(column)),
  )
  process.stdout.write(`\n${[title, head.join('  '), ...lines].map((line) => line.trimEnd()).join('\n')}\n`)
}

/** Into .cache/bench/<name>.json, whole or not at all. */
export async function saveResult(name: string, result: object): Promise<void> {
  const folder = join(cacheFolder(), 'bench')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${name}.json`)
  const box = {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memory_mib: round(totalmem() / MIB, 0),
  }
  await writeFile(`${path}.part`, `${JSON.stringify({ at: new Date().toISOString(), ...box, ...result }, null, 2)}\n`)
  await rename(`${path}.part`, path)
  process.stdout.write(`\nkept in ${path}\n`)
}
