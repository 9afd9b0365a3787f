/**
 * A process of its own that imports one plugin: what loops, ends the process or takes all memory does so here. Its
 * arguments are the manifest as JSON, and the version. Prints what went wrong; nothing when all is well.
 */
import process from 'node:process'
import { messageOf } from '../errors.ts'
import type { Manifest } from './manifest.ts'
import { importPlugin } from './plugin-code.ts'
import { problemsOf } from './shape.ts'

// The appliance outlives a promise that nobody waits for, and tells of it.
process.on('unhandledRejection', () => {})

const [manifest = '', version = ''] = process.argv.slice(2)

/** As the last act: a plugin may have left a timer. */
function end(answer: { cannot: string } | { problems: readonly string[] }): void {
  process.send?.(answer, () => process.exit(0))
}

try {
  const { name, kind, ...rest } = JSON.parse(manifest) as Manifest
  end({ problems: problemsOf(await importPlugin({ name, kind, ...rest }, version), name, kind) })
} catch (error) {
  end({ cannot: messageOf(error) })
}
