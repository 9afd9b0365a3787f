/** `npm run rack` as a person meets it: how it fails, and how it ends. */
import assert from 'node:assert/strict'
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { block } from '../plugins/example.ts'
import { CHECKOUT } from '../rack/cache.ts'
import { namespaces } from '../rack/steel/network.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS } from './racks.ts'

const GONE_WITHIN_MS = 20_000

/** As npm starts it; the output grows while it runs. */
function startCommand(...args: string[]) {
  return started(spawn(process.execPath, [join(CHECKOUT, 'test/rack/command/main.ts'), ...args], { cwd: CHECKOUT }))
}

function started(child: ChildProcessWithoutNullStreams) {
  const seen = { text: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (seen.text += chunk))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, seen, ended }
}

function outputOf(child: ChildProcess, seen: { text: string }, words: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => words.test(seen.text) && resolve()
    child.stdout?.on('data', look)
    child.once('close', () => reject(new Error(`it ended without ${words}:\n${seen.text}`)))
    look()
  })
}

async function nothingIsLeftOf(pid: number | undefined): Promise<void> {
  const mine = (name: string) => name.startsWith(`rackstrap-rack-${pid}`)
  assert.deepEqual((await namespaces()).filter(mine), [])
  assert.deepEqual((await readdir(tmpdir())).filter(mine), [])
}

describe('npm run rack', () => {
  it('ends with one sentence and the log to read when the image cannot be used', {
    timeout: PREPARE_DEADLINE_MS,
  }, async () => {
    const { child, seen, ended } = startCommand('--image', '/dev/null')

    assert.equal(await ended, 1)
    assert.match(
      seen.text,
      /failed: --image \/dev\/null is neither qcow2 nor a raw disk: it has no boot sector\nread \S+/,
    )
    await nothingIsLeftOf(child.pid)
  })

  it('hands on an interface that it does not know, and the words of the appliance about it', {
    timeout: PREPARE_DEADLINE_MS,
  }, async () => {
    const { child, seen, ended } = startCommand('--deploy-interface', 'nope')

    assert.equal(await ended, 1)
    assert.match(
      seen.text,
      /failed: baremetal node create: Could not find .* nope\. Valid interfaces are \[.*'direct', 'ramdisk', 'bootc'/,
    )
    await nothingIsLeftOf(child.pid)
  })

  it("runs a stranger's plugin by the commands of plugins/TUTORIAL.md, in a folder outside the checkout", {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-stranger-'))
    test.after(() => rm(folder, { recursive: true }))
    const typed = block('sh')
      .replaceAll('/opt/rackstrap', CHECKOUT)
      .replace('hello_volume=11', 'hello_volume=2')
      .trimEnd()

    const commands = `set -e\n${typed} --instance-info hello_text=moin --json ${folder}/times.json`
    const { child, seen, ended } = started(spawn('bash', ['-c', commands], { cwd: folder }))

    assert.equal(await ended, 0, seen.text)
    const { nodes } = JSON.parse(await readFile(join(folder, 'times.json'), 'utf8'))
    const stages = nodes[0].stages.map(({ name }: { name: string }) => name)
    assert.ok(stages.includes('step deploy.say_hello'), stages.join())
    const [, logs = ''] = /logs: (\S+)/.exec(seen.text) ?? []
    const shown = await readFile(join(logs, 'rack-1.console.log'), 'latin1')
    assert.equal(shown.split('\n').filter((line) => line.trimEnd().endsWith('moin')).length, 2, shown)
    await nothingIsLeftOf(child.pid)
  })

  it('clears everything away at Ctrl-C in the middle of a deploy', { timeout: PREPARE_DEADLINE_MS }, async () => {
    const { child, seen, ended } = startCommand('--memory', '512')
    await outputOf(child, seen, /iPXE/)

    child.kill('SIGINT')

    assert.equal(await ended, 130)
    assert.match(seen.text, /stopped; nothing is left running/)
    await nothingIsLeftOf(child.pid)
  })

  it('clears everything away when its terminal is closed', { timeout: PREPARE_DEADLINE_MS }, async () => {
    const terminal = startOnTerminal('--memory', '512')
    await outputOf(terminal.child, terminal.seen, /ramdisk boots/)
    const [name = ''] = (await namespaces()).filter((one) => terminal.seen.text.includes(`namespace ${one};`))

    terminal.child.kill('SIGKILL')

    assert.match(name, /^rackstrap-rack-\d+$/)
    await nothingIsLeftSoon(name)
  })

  it('leaves nothing that outlives a SIGKILL for long', { timeout: PREPARE_DEADLINE_MS }, async () => {
    const { child, seen } = startCommand('--memory', '512')
    await outputOf(child, seen, /is up in network namespace/)

    child.kill('SIGKILL')

    await nothingIsLeftSoon(`rackstrap-rack-${child.pid}`)
  })
})

/** By npm, on a terminal of script(1): the end of that one closes it, as that of sshd or of a window does. */
function startOnTerminal(...args: string[]) {
  const command = `npm run rack -- ${args.join(' ')}`
  const child = spawn('script', ['-qfc', command, '/dev/null'], { cwd: CHECKOUT, stdio: ['pipe', 'pipe', 'pipe'] })
  const seen = { text: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (seen.text += chunk))
  return { child, seen }
}

/** Processes name their rack's folder or run in its namespace. */
async function nothingIsLeftSoon(name: string): Promise<void> {
  const deadline = AbortSignal.timeout(GONE_WITHIN_MS)
  const left = async () => [
    ...(await namespaces()).filter((one) => one === name),
    ...(await readdir(tmpdir())).filter((one) => one === name),
    ...(await commandLines()).filter((line) => line.includes(name)),
  ]
  while ((await left()).length > 0 && !deadline.aborted) await setTimeout(100)
  assert.deepEqual(await left(), [])
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((one) => /^\d+$/.test(one))
  // One that has ended meanwhile has none.
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
  return (await Promise.all(lines)).map((line) => line.replaceAll('\0', ' '))
}
