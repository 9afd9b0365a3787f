/**
 * Texts from Jinja2 templates, which strangers may have written: each is rendered by a process of its own, with a
 * deadline, little memory, and no right but to read the engine. Decides nothing about what is made of the text.
 */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { confined } from '@appliance/ground/confine'
import { plainText } from '@appliance/ground/plain-text'
import { MASK } from '@appliance/ground/secret-words'
import { createSemaphore } from '@appliance/ground/semaphore'
import { ApplianceError, InvalidParameterValue } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Answer, Order } from './child.ts'

type RenderRequest = {
  template: string
  variables: Json
  /** Begins the message: instance_info/ks_template. */
  name: string
  signal: AbortSignal
}
export type Renderer = {
  /** @throws InvalidParameterValue  with the line, and without anything of the variables */
  render(request: RenderRequest): Promise<string>
}

export const TEMPLATE_LIMIT_BYTES = 256 * 1024
const TEXT_LIMIT_BYTES = 1024 * 1024
/** JSON writes a control character in six bytes. */
const ANSWER_LIMIT_BYTES = 6 * TEXT_LIMIT_BYTES + 1024
const FUEL = 1_000_000
const DEADLINE_MS = 20_000
/** They take turns: the box has other work. */
const AT_ONCE = 2
const PROBLEM_LIMIT = 300
/** What is shorter stands in any message by chance. */
const SECRET_LENGTH = 6

const HERE = import.meta.dirname
const ENGINE = join(dirname(createRequire(import.meta.url).resolve('minijinja-js/package.json')), '/')
const READS = [join(HERE, '/'), join(HERE, '../package.json'), ENGINE]
const RIGHTS = { reads: [process.execPath, ...READS], isOffline: true }
const ARGUMENTS = [
  '--permission',
  ...READS.map((path) => `--allow-fs-read=${path}`),
  '--max-old-space-size=64',
  // Of 64 KiB.
  '--wasm-max-mem-pages=1024',
  join(HERE, 'child.ts'),
]

export function createRenderer(): Renderer {
  const turns = createSemaphore(AT_ONCE)
  return {
    async render({ template, variables, name, signal }) {
      const bytes = Buffer.byteLength(template)
      if (bytes > TEMPLATE_LIMIT_BYTES) {
        throw refused(name, `it has ${bytes} bytes: at most ${TEMPLATE_LIMIT_BYTES} are taken`)
      }
      const leave = await turns.enter(signal)
      try {
        const order = { template, variables, fuel: FUEL, limit_bytes: TEXT_LIMIT_BYTES }
        const answer = await ask(order, name, signal)
        if ('text' in answer) return answer.text
        throw refused(name, inWords(answer.problem, variables))
      } finally {
        leave()
      }
    },
  }
}

const refused = (name: string, why: string) => new InvalidParameterValue(`The template ${name} cannot be used: ${why}.`)

function ask(order: Order, name: string, signal: AbortSignal): Promise<Answer> {
  const options = {
    ...{ cwd: '/', env: {}, signal, timeout: DEADLINE_MS },
    ...({ killSignal: 'SIGKILL', maxBuffer: ANSWER_LIMIT_BYTES } as const),
  }
  return new Promise((resolve, reject) => {
    const child = execFile(...confined(process.execPath, ARGUMENTS, RIGHTS), options, (error, stdout, stderr) => {
      if (!error) return resolve(JSON.parse(stdout))
      if (signal.aborted) return reject(signal.reason)
      if (error.killed) return reject(refused(name, `it took longer than ${DEADLINE_MS / 1000} s`))
      if (error.signal) return reject(refused(name, TOO_MUCH))
      reject(new ApplianceError(`The template ${name} was not rendered: ${stderr.trim().slice(-PROBLEM_LIMIT)}`))
    })
    // A child that ended early says so by its exit.
    child.stdin?.on('error', () => {}).end(JSON.stringify(order))
  })
}

const TOO_MUCH = 'it needs more memory or nesting than a template gets'

/** The engine's words in ours: with the line, on one line, and without what the template was told. */
function inWords(problem: string, variables: Json): string {
  const [first = ''] = problem.split('\n')
  if (/^(unreachable|Maximum call stack|memory access|Invalid array length|Array buffer allocation)/i.test(first))
    return TOO_MUCH
  const [, what = first, line] = /^([\s\S]*?)\s*\(in <string>:(\d+)\)$/.exec(first) ?? []
  const words = plainText(what)
    .replace('engine ran out of fuel', 'it does too much, such as a loop that does not end soon')
    .replace(/^undefined value$/, 'a variable is used that there is not')
  const shown = secretsIn(variables).reduce((text, secret) => text.replaceAll(secret, MASK), words)
  return `${line === undefined ? '' : `line ${line}: `}${shown.slice(0, PROBLEM_LIMIT)}`
}

function secretsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.length < SECRET_LENGTH ? [] : [value]
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(secretsIn) : []
}
