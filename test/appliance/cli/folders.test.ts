/** Folders, files and limits that a server does not start with: what it says is what is wrong, and what to do. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { outOfFiles } from '../../../appliance/cli/file-limit.ts'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')
const execute = promisify(execFile)
const NOBODY = 65534
const isRoot = process.getuid?.() === 0

function rig(t: TestContext, more = '') {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-folders-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const own = mkdtempSync(join(tmpdir(), 'rackstrap-conf-'))
  t.after(() => rmSync(own, { recursive: true, force: true }))
  chmodSync(own, 0o755)
  const config = join(own, 'rackstrap.conf')
  const local = '[api]\nhost_ip = 127.0.0.1\nport = 0\n[deploy]\nhttp_url = http://127.0.0.1:0\n'
  writeFileSync(config, `[DEFAULT]\nstate_path = ${folder}/state\nmy_ip = 127.0.0.1\n${local}${more}`)
  return { folder, config, state: join(folder, 'state') }
}

/** A command that fails at once. @param shell  words before it */
async function refusal(args: readonly string[], user: { uid?: number; shell?: string } = {}): Promise<string> {
  return (await refused(args, user)).stderr
}

async function refused(args: readonly string[], { uid = process.getuid?.() ?? 0, shell = '' } = {}) {
  const command = ['-c', `${shell} exec "$@"`, 'sh', process.execPath, CLI, ...args]
  const ended = await execute('sh', command, { uid, gid: uid, cwd: '/', timeout: 30_000 }).catch((error) => error)
  assert.equal(ended.code, 1, `${ended.stdout}${ended.stderr}`)
  return ended as { stdout: string; stderr: string }
}

describe('a server that is started as root in the folder of another account', { skip: !isRoot }, () => {
  for (const [name, args] of [
    ['serve', ['serve']],
    ['registry serve', ['registry', 'serve']],
  ] as const) {
    it(`${name} is refused with the remedy, and leaves nothing there`, async (t) => {
      const { folder, config, state } = rig(t)
      chownSync(folder, NOBODY, NOBODY)

      const told = await refusal([...args, '--config', config])

      const [option, path] =
        name === 'serve' ? ['[DEFAULT] state_path', state] : ['[registry] storage_path', join(state, 'registry')]
      assert.equal(
        told,
        `rackstrap: ${option} is ${path}, and ${folder} belongs to nobody, but this runs as root: nobody could not use what root writes there. ` +
          "Start the service (systemctl start rackstrap), run this as that account (runuser -u nobody -- ...), or name a folder of root's own.\n",
      )
      assert.equal(existsSync(state), false)
    })
  }

  it('so are commands that would open the folder of the registry', async (t) => {
    const { folder, config, state } = rig(t)
    chownSync(folder, NOBODY, NOBODY)

    const told = await refusal(['registry', 'gc', '--config', config])

    assert.match(told, /registry belongs to user 65534, this command runs as user 0: the registry could not use what/)
    assert.equal(existsSync(state), false)
  })
})

describe('a server that finds what another account left', { skip: !isRoot }, () => {
  it('names the file, its owner, and the command that gives it back', async (t) => {
    const { config, state } = rig(t)
    mkdirSync(state)
    chownSync(state, NOBODY, NOBODY)
    writeFileSync(join(state, 'lock'), '', { mode: 0o600 })

    const told = await refusal(['serve', '--config', config], { uid: NOBODY })

    const lock = join(state, 'lock')
    const remedy = `When it is nobody's to use, give it to that account: chown -R nobody: ${lock}`
    assert.equal(
      told,
      `rackstrap: EACCES: permission denied, open '${lock}'\n${lock} belongs to root, and this runs as nobody. ${remedy}\n`,
    )
  })
})

describe('a server that finds a file where a folder is wanted', () => {
  it('tells each of them, and config check does, too', async (t) => {
    const { folder, config, state } = rig(t)
    for (const name of ['tftp', 'images', 'http', 'ramdisk', 'blobs']) writeFileSync(join(folder, name), 'a file')
    writeFileSync(state, 'a file')
    const own = `[deploy]\nhttp_root = ${folder}/http\n[pxe]\ntftp_root = ${folder}/tftp\ninstance_master_path = ${folder}/images/cache\nramdisk_path = ${folder}/ramdisk\n`
    const registry = `[registry]\nenabled = True\nstorage_path = ${folder}/blobs\n`
    writeFileSync(config, `${readFileSync(config, 'utf8')}${own}${registry}`)

    const served = await refusal(['serve', '--config', config])
    const { stdout: checked } = await refused(['config', 'check', config])

    const remedy = 'expected a folder, or nothing yet. Move it away, or name another folder.'
    const lines = readFileSync(config, 'utf8').split('\n')
    const at = (option: string) => `${config}:${lines.findIndex((line) => line.startsWith(option)) + 1}`
    const sentences = [
      `${at('state_path')}: [DEFAULT] state_path is ${state}, and ${state} is a file: ${remedy}`,
      `${at('http_root')}: [deploy] http_root is ${folder}/http, and ${folder}/http is a file: ${remedy}`,
      `${at('instance_master')}: [pxe] instance_master_path is ${folder}/images/cache, and ${folder}/images is a file: ${remedy}`,
      `${at('tftp_root')}: [pxe] tftp_root is ${folder}/tftp, and ${folder}/tftp is a file: ${remedy}`,
      `${at('storage_path')}: [registry] storage_path is ${folder}/blobs, and ${folder}/blobs is a file: ${remedy}`,
      `${at('ramdisk_path')}: [pxe] ramdisk_path is ${folder}/ramdisk, and ${folder}/ramdisk is a file: ${remedy}`,
    ]
    assert.equal(served, `rackstrap: ${sentences.join('\n')}\n`)
    for (const sentence of sentences) assert.ok(checked.includes(`error: ${sentence}\n`), checked)
  })
})

describe('a server that may open few files', () => {
  for (const args of [['serve'], ['registry', 'serve']]) {
    it(`tells the limit and how to raise it: ${args.join(' ')}`, async (t) => {
      const { config } = rig(t)

      const told = await refusal([...args, '--config', config], { shell: 'ulimit -n 32;' })

      assert.equal(
        told,
        'rackstrap: At most 32 files may be open here: expected at least 256. Raise it by ulimit -n 4096 in the shell, or LimitNOFILE= in the unit.\n',
      )
    })
  }

  it('so do commands that run out of them, whatever failed for want of one', () => {
    const emfile = Object.assign(new Error('spawnSync flock EMFILE'), { code: 'EMFILE' })

    const told = outOfFiles(new Error('/state/lock cannot be locked', { cause: emfile }))

    assert.match(told ?? '', /^Too many files are open: the limit is \d+\. Raise it by ulimit -n 4096/)
    assert.equal(outOfFiles(new Error('another')), undefined)
  })
})
