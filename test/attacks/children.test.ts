/**
 * Hostile programs in the place of those that the appliance starts: a qemu-img that an image has taken over, a program
 * of a plugin. What each tries is real, and so is the way by which it is started.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Confinement, confined } from '@appliance/ground/confine'
import { exec } from '../../appliance/conductor/plugin/exec.ts'
import { runProgram } from '../../appliance/images/file/programs.ts'
import { convertToRaw } from '../../appliance/images/format/convert.ts'

const APPLIANCE = join(import.meta.dirname, '../../appliance')
/** landlock_create_ruleset(2), asked for its version. */
const landlock = Number(spawnSync('perl', ['-e', 'print syscall(444, 0, 0, 1)'], { encoding: 'utf8' }).stdout)
const needs = (version: number) => ({
  skip: landlock < version && `Landlock of version ${version} is not in this kernel (${landlock})`,
})
const SECRET = 'the key of all secrets'
const signal = AbortSignal.timeout(60_000)

describe('a program that works on images and was taken over', () => {
  const state_path = mkdtempSync(join(tmpdir(), 'children-'))
  const key = join(state_path, 'secret.key')
  const cache = join(state_path, 'master_images')
  const image = join(cache, 'image')
  const others = join(cache, 'another')
  before(() => {
    mkdirSync(cache)
    writeFileSync(key, SECRET, { mode: 0o600 })
    writeFileSync(image, 'an image')
    writeFileSync(others, "another node's image")
  })
  after(() => rmSync(state_path, { recursive: true }))

  /** @returns what it wrote; its own image is all that it was given */
  async function attack(script: string, ...args: string[]): Promise<string> {
    let said = ''
    const program = { file: 'sh', args: ['-c', `${script}\nexit 0`, 'sh', ...args], reads: [image] }
    await runProgram({
      ...{ ...program, nice: 0, timeout_s: 30, signal, about: 'It' },
      onOutput: (text) => (said += text),
    })
    return said.trim()
  }
  const perl = (code: string, ...args: string[]) =>
    attack('exec 2>&1; code=$1; shift; perl -e "$code" "$@"', code, ...args)

  it('reads the image that it was started for', async () => {
    assert.equal(await attack('cat "$1"', image), 'an image')
  })

  it('reads no key of the appliance, and lists none of its folders', needs(1), async () => {
    assert.equal(await attack('cat "$1"; ls "$2" "$3"', key, state_path, cache), '')
  })

  it("neither reads nor overwrites another node's image", needs(1), async () => {
    assert.equal(await attack('cat "$1"; echo x >"$1"; echo x >"$2"', others, `${others}-new`), '')
    assert.equal(readFileSync(others, 'utf8'), "another node's image")
    assert.equal(existsSync(`${others}-new`), false)
  })

  it('does not change the image that it only reads, not even by its length', needs(1), async () => {
    await attack('echo x >"$1"', image)
    await perl('truncate($ARGV[0], 0)', image)

    assert.equal(readFileSync(image, 'utf8'), 'an image')
  })

  it('reads no file of the system that could hold a secret', needs(1), async () => {
    assert.equal(await attack('cat /etc/shadow /etc/ssl/private/* /etc/ssh/*key; ls /root /home /var/lib /tmp'), '')
  })

  it('opens no socket of any kind', async () => {
    for (const [family, kind] of [
      ['AF_INET', 'SOCK_STREAM'],
      ['AF_INET', 'SOCK_RAW'],
      ['AF_UNIX', 'SOCK_STREAM'],
    ]) {
      assert.equal(await perl(`use Socket; print socket(my $s, ${family}, ${kind}, 0) ? "open" : "no"`), 'no', family)
    }
    const packets = await perl('print socket(my $s, 17, 3, 0) ? "open" : "no"')
    assert.equal(packets, 'no', 'AF_PACKET')
  })

  it('asks nothing of the appliance by its unix sockets, whatever else it may open', async () => {
    const ask = 'use Socket; print socket(my $s, $ARGV[0], 1, 0) ? "open" : "no"'
    const opened = (family: number, confinement: Confinement) =>
      execFileSync(...confined('perl', ['-e', ask, String(family)], confinement), { encoding: 'utf8' })
    const [AF_UNIX, AF_INET] = [1, 2]

    for (const rights of [{}, { hides: [] }]) {
      assert.deepEqual([opened(AF_UNIX, rights), opened(AF_INET, rights)], ['no', 'open'])
    }
    assert.equal(opened(AF_UNIX, { hides: [], opensUnixSockets: true }), 'open')
  })

  it('has no capability, and gains none', async () => {
    const status = await attack('cat /proc/self/status')

    assert.deepEqual(
      [...status.matchAll(/^(?:Cap(?:Prm|Eff|Amb)|NoNewPrivs):\s+(\w+)$/gm)].map(([, value]) => value),
      ['0000000000000000', '0000000000000000', '0000000000000000', '1'],
    )
  })

  it('dumps no core, and cannot have one allowed', async () => {
    assert.match(await attack('ulimit -Hc; ulimit -c unlimited 2>&1'), /^0\n.*(not permitted|Illegal|cannot)/i)
  })

  it('learns nothing of the environment of the appliance, its own copy or the original', needs(1), async () => {
    process.env.RACKSTRAP_TRIAL = SECRET
    try {
      const seen = await attack('env; cat "/proc/$1/environ" "/proc/$1/mem"', String(process.pid))

      assert.doesNotMatch(seen, /RACKSTRAP_TRIAL|the key of all/)
      assert.match(seen, /LC_ALL=C/)
    } finally {
      delete process.env.RACKSTRAP_TRIAL
    }
  })

  it('inherits no file that the appliance has open', async () => {
    const file = openSync(key, 'r')

    const open = await attack('for fd in /proc/$$/fd/*; do readlink $fd; done')

    closeSync(file)
    assert.doesNotMatch(open, /secret\.key/)
  })

  it('ends no other process', needs(6), async () => {
    assert.match(await perl('print kill(0, $ARGV[0]) ? "could" : "no"', String(process.pid)), /^no$/)
  })

  it('traces no process, and mounts nothing', async () => {
    assert.match(await attack('unshare -Ur true 2>&1 && echo could'), /not permitted/)
    assert.equal(await perl('print syscall(101, 16, $ARGV[0], 0, 0) == 0 ? "could" : "no"', String(process.pid)), 'no')
  })

  it('does not outlive the appliance', async () => {
    const module = `
      import { runProgram } from '${APPLIANCE}/images/file/programs.ts'
      const o = { nice: 0, timeout_s: 60, signal: AbortSignal.timeout(60_000), about: 'It' }
      await runProgram({ file: 'sh', args: ['-c', 'echo $$; exec sleep 50'], onOutput: (text) => console.log(text), ...o })`
    const parent = spawn(process.execPath, ['--input-type=module-typescript', '--eval', module], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [pid] = await once(parent.stdout.setEncoding('utf8'), 'data')

    parent.kill('SIGKILL')

    await gone(Number(pid))
  })

  it('is refused what its arguments do not name: a backing file of a qcow2 image', needs(1), async () => {
    const from = join(cache, 'hostile.qcow2')
    // As `qemu-img create -u -b` writes it, and as our own look at the header refuses it before.
    execFileSync('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', key, '-F', 'raw', from, '64K'])

    const converting = convertToRaw({
      ...{ from, to: join(cache, 'raw'), size_bytes: 65536, shown: 'hostile', progress: () => {}, signal },
    })

    await assert.rejects(converting, /Permission denied/)
    assert.doesNotMatch(readFileSync(join(cache, 'raw'), 'utf8'), /the key/)
  })
})

describe('a program of a plugin that was taken over', () => {
  const state_path = mkdtempSync(join(tmpdir(), 'children-'))
  const folder = join(state_path, 'procedures/one')
  const [key, config] = [join(state_path, 'secret.key'), join(state_path, '../', `rackstrap-${process.pid}.conf`)]
  before(() => {
    for (const path of [folder, join(state_path, 'procedures/two'), join(state_path, 'node_modules')]) {
      mkdirSync(path, { recursive: true })
    }
    writeFileSync(key, SECRET)
    writeFileSync(config, SECRET)
    writeFileSync(join(state_path, 'procedures/two/id'), SECRET)
    writeFileSync(join(state_path, 'node_modules/tool'), 'a tool')
  })
  after(() => {
    rmSync(state_path, { recursive: true })
    rmSync(config)
  })

  const hidden = { paths: [state_path, config], but: [join(state_path, 'node_modules')] }
  const attack = async (script: string, ...args: string[]) =>
    (await exec('sh', ['-c', `${script}\nexit 0`, 'sh', ...args], {}, { signal, node_uuid: 'one', hidden, folder }))
      .stdout

  it('works in the folder of its node, with programs that came with its plugin', async () => {
    assert.equal(
      await attack('echo mine >"$1/a"; cat "$1/a" "$2"', folder, join(state_path, 'node_modules/tool')),
      'mine\na tool',
    )
  })

  it('reads no record, key or configuration of the appliance, and nothing of another node', needs(1), async () => {
    const others = join(state_path, 'procedures/two')

    assert.equal(await attack('cat "$1" "$2" "$3/id"; ls "$4" "$3"', key, config, others, state_path), '')
    assert.equal(await attack('cat "/proc/self/root$1" "/proc/$PPID/root$1" "/proc/$PPID/cwd/$1"', key), '')
  })

  it('has no capability, and dumps no core', async () => {
    assert.match(await attack('cat /proc/self/status; ulimit -Hc'), /CapEff:\t0{16}\n[\s\S]*\n0$/)
  })
})

/** Looks until the process is gone. */
async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + 20_000
  const isThere = () => /State:\s+[^ZX]/.test(existsSync(`/proc/${pid}/status`) ? statusOf(pid) : '')
  while (isThere()) {
    assert.ok(performance.now() < deadline, `process ${pid} is still there`)
    await pause(20)
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    // It has ended between the two looks.
    return ''
  }
}
