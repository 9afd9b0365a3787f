/** `as-root.ts COMMAND ...`: what sudo runs. Hands on what ends it, and gives the cache back to who called. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { npmGone } from '../../appliance/cli/parent.ts'
import { CHECKOUT } from './cache.ts'
import { run } from './run-program.ts'

const [command = '', ...args] = process.argv.slice(2)
const child = spawn(command, args, { stdio: 'inherit' })
// Those of the keyboard reach the child by themselves.
for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {})
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
void npmGone().then(() => child.kill('SIGTERM'))
const [status, signal]: [number | null, NodeJS.Signals | null] = (await once(child, 'exit')) as never
const { SUDO_UID, SUDO_GID } = process.env
const cache = join(CHECKOUT, '.cache')
if (SUDO_UID && existsSync(cache)) await run('chown', ['-R', `${SUDO_UID}:${SUDO_GID ?? ''}`, cache])
process.exit(status ?? 128 + constants.signals[signal ?? 'SIGTERM'])
