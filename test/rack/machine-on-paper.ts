/**
 * A machine that is only files: the power state and boot device a BMC has set, and every call it made. Hook of
 * ipmi-sim.ts.
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * `lag` in a file: that many answers still tell the old power state. `deaf`: power commands are taken, and not
 * followed.
 */
const HOOK = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$@" >> calls
[ -e spy ] && cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' > seen
shift; verb=$1; shift
case $verb in
get)
  for name in "$@"; do
    if [ "$name" = power ] && [ -s lag ] && [ "$(cat lag)" -gt 0 ]; then
      echo $(($(cat lag) - 1)) > lag; echo "power:$(cat power.before)"
    else echo "$name:$(cat "$name")"; fi
  done;;
set)
  while [ $# -gt 1 ]; do
    case $1 in
    shutdown) [ -e deaf ] || { cp power power.before; echo 0 > power; };;
    power|boot) [ -e deaf ] || { cp "$1" "$1.before"; echo "$2" > "$1"; };;
    esac
    shift 2
  done;;
esac
`

export type MachineOnPaper = {
  hook: string
  power(): 'on' | 'off'
  boot(): string
  /** What the BMC asked for since the last call of this, e.g. 'set power 1'. */
  calls(): string[]
  /** The next `count` answers still tell the power state of before. */
  lag(count: number): void
  /** From now on commands are acknowledged and not followed. */
  goDeaf(): void
  /** Has the BMC look at the command lines of this box at its next call; then tells them. */
  spy(): void
  seen(): string
}

export function createMachineOnPaper(folder: string): MachineOnPaper {
  mkdirSync(folder, { recursive: true })
  const file = (name: string) => join(folder, name)
  const read = (name: string) => readFileSync(file(name), 'utf8').trim()
  for (const [name, text] of Object.entries({
    power: '0',
    'power.before': '0',
    boot: 'default',
    calls: '',
    hook: HOOK,
  })) {
    writeFileSync(file(name), text)
  }
  for (const name of ['lag', 'deaf', 'spy', 'seen']) rmSync(file(name), { force: true })
  chmodSync(file('hook'), 0o755)
  return {
    hook: file('hook'),
    power: () => (read('power') === '1' ? 'on' : 'off'),
    boot: () => read('boot'),
    calls() {
      const lines = read('calls').split('\n')
      writeFileSync(file('calls'), '')
      return lines.filter((line) => line !== '').map((line) => line.replace(/^0x20 /, ''))
    },
    lag: (count) => writeFileSync(file('lag'), String(count)),
    goDeaf: () => writeFileSync(file('deaf'), ''),
    spy: () => writeFileSync(file('spy'), ''),
    seen: () => read('seen'),
  }
}
