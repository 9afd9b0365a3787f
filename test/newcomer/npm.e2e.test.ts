/**
 * `npm ci` and what comes after it, with the versions of npm and Node that newcomers have: older ones make no link to
 * Node 24. Needs the npm registry.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { run } from '../rack/run-program.ts'
import { copyCheckout } from './checkout.ts'

const execute = promisify(execFile)
const TIMEOUT_MS = 300_000
const NODE_PACKAGE = `node-linux-${process.arch}`
const VERSIONS = [
  { npm: '9.2.0', node: '18.19.1', from: 'Debian 12 and 13' },
  { npm: '10.8.2', node: '20.19.2', from: 'Node 20' },
  { npm: 'latest', node: undefined, from: 'the registry, on the Node that runs this' },
]
/** An npm that runs this test tells its own settings to its children; these are not for another one. */
const OF_THE_OUTER_NPM =
  /^(npm_(?!config_(registry|cafile|cache|https?_proxy|proxy|noproxy)$)|INIT_CWD$|NODE$|NODE_COMPILE_CACHE$)/i

/**
 * A checkout as cloned, and a shell in it that finds the given npm and Node. Packages come from the caller's npm
 * cache where they can.
 */
async function newcomer(npm: string, node: string | undefined) {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-npm-'))
  const checkout = join(folder, 'rackstrap')
  const outer = Object.entries(process.env).filter(([name]) => !OF_THE_OUTER_NPM.test(name))
  const env = Object.fromEntries(outer)
  const packages = [`npm@${npm}`, ...(node ? [`${NODE_PACKAGE}@${node}`] : [])]
  await run('npm', ['install', '--prefix', join(folder, 'tools'), '--no-audit', '--no-fund', ...packages], { env })
  const tools = join(folder, 'tools/node_modules')
  env.PATH = [node ? join(tools, NODE_PACKAGE, 'bin') : dirname(process.execPath), join(tools, '.bin'), env.PATH].join(
    ':',
  )
  await copyCheckout(checkout)
  return {
    checkout,
    shell: (command: string) =>
      execute('bash', ['--norc', '-c', command], { cwd: checkout, env, timeout: TIMEOUT_MS }).catch((error) => error),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

describe('npm ci', () => {
  for (const { npm, node, from } of VERSIONS) {
    it(`is enough for rackstrap and npm run rack, and warns of nothing: npm ${npm}, of ${from}`, async (t) => {
      await using machine = await newcomer(npm, node)
      const { shell, checkout } = machine
      const binary = join(checkout, 'node_modules', NODE_PACKAGE, 'bin/node')
      t.diagnostic(
        `npm ${(await shell('npm --version')).stdout.trim()}, Node ${(await shell('node --version')).stdout}`,
      )

      const installed = await shell('npm ci')

      assert.match(installed.stdout, /^\s*added \d+ packages/)
      assert.equal(installed.stderr, '')
      assert.deepEqual(await shell('npx rackstrap --version'), { stdout: '0.1.0\n', stderr: '' })
      // The virtual rack's own installation finds nothing left to do.
      const sourced = await shell('set -euo pipefail; checkout=$PWD; . test/rack/install; echo "$node"')
      assert.deepEqual(sourced, { stdout: `${binary}\n`, stderr: '' })

      if (node === undefined) return
      await rm(join(checkout, 'node_modules', NODE_PACKAGE), { recursive: true })
      const { code, stderr } = await shell('npx rackstrap --version')
      assert.equal(code, 1)
      assert.match(
        stderr,
        /^rackstrap: npm left no Node 24 for \S+ here \(\S+ is missing\); the machine's own, \S+, is v\d/,
      )
      assert.match(stderr, /Run "npm ci" in \S+, and let npm install optional packages\.\n/)
    })
  }
})
