/**
 * A process of its own with next to no rights: one template from standard input, its text to standard output. The
 * template may be hostile; its expressions are run by WebAssembly, and reach no JavaScript, no file, no program.
 */
import { readFileSync, writeSync } from 'node:fs'
import { Environment } from 'minijinja-js'
import type { Json } from '../plugin-api/index.ts'

/** `fuel`: instructions of the engine. */
export type Order = { template: string; variables: Json; fuel: number; limit_bytes: number }
export type Answer = { text: string } | { problem: string }

function answerTo({ template, variables, fuel, limit_bytes }: Order): Answer {
  const environment = new Environment()
  environment.fuel = fuel
  environment.undefinedBehavior = 'strict'
  environment.enablePyCompat()
  // @source Ironic utils.render_template: templates get Python's enumerate
  environment.addGlobal('enumerate', (items: unknown[]) => items.map((item, index) => [index, item]))
  try {
    const text = environment.renderStr(template, variables)
    const bytes = Buffer.byteLength(text)
    return bytes > limit_bytes ? { problem: `its text has ${bytes} bytes: at most ${limit_bytes} are taken` } : { text }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

function writeAll(text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done)
}

writeAll(JSON.stringify(answerTo(JSON.parse(readFileSync(0, 'utf8')))))
