/** What commands print, as pipes and files get it: whole, or with a status that tells. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'

const CLI = join(import.meta.dirname, '../../../appliance/cli.ts')
const execute = promisify(execFile)
/** Together more than two pipes hold. */
const TAGS = 1_000
const tagOf = (index: number) => `${index}-`.padEnd(120, 'x')
const MEDIA_TYPE = 'application/vnd.oci.image.index.v1+json'
/** Reads so slowly that a pipe is full for most of the time. */
const SLOW_READER = 'dd bs=512 status=none'
const KIBIBYTE = 1024

type Ended = { status: number; stdout: string; stderr: string }

describe('what a command prints', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-output-'))
  const config = join(folder, 'rackstrap.conf')
  const bundle = join(folder, 'all.tar')

  /** A shell's words around the command line, which is `"$@"` in them. */
  async function shell(words: string, ...args: string[]): Promise<Ended> {
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', CLI, ...args]
    const child = execute('bash', ['-c', `set -o pipefail; ${words}`, 'bash', ...command], {
      cwd: folder,
      maxBuffer: 64 * KIBIBYTE ** 2,
      timeout: 60_000,
    })
    const ended = await child.catch((error) => error)
    return { status: ended.code ?? 0, stdout: ended.stdout, stderr: ended.stderr }
  }

  before(async () => {
    writeFileSync(config, `[DEFAULT]\nstate_path = ${folder}/state\n`)
    layTags(join(folder, 'state/registry'))
    const made = await shell('"$@"', 'bundle', 'export', '*', '--output', bundle, '--config', config)
    assert.equal(made.status, 0, made.stderr)
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const tagsIn = (text: string) => new Set(text.match(/\d+-x+(?=["\s])/g)).size
  const long: Readonly<Record<string, () => string[]>> = {
    'registry list --json': () => ['registry', 'list', '--json', '--config', config],
    'bundle inventory': () => ['bundle', 'inventory', '--config', config],
    'bundle inspect --json': () => ['bundle', 'inspect', bundle, '--json'],
  }
  for (const [name, args] of Object.entries(long)) {
    it(`arrives whole through a pipe that is read slowly: ${name}`, async () => {
      const { status, stdout, stderr } = await shell(`"$@" | ${SLOW_READER}`, ...args())

      assert.equal(status, 0, stderr)
      assert.ok(stdout.length > 2 * 64 * KIBIBYTE, `${stdout.length} bytes`)
      assert.ok(name === 'bundle inventory' || tagsIn(stdout) === TAGS, `${tagsIn(stdout)} tags`)
      assert.ok(stdout.endsWith('\n'))
    })
  }

  it('arrives whole when it is a bundle', async () => {
    const verify = `"$1" "$2" "$3" bundle inspect - --verify > verified`

    const { status, stderr } = await shell(
      `"$@" | ${SLOW_READER} | ${verify}`,
      'bundle',
      'export',
      '*',
      '--output',
      '-',
      '--config',
      config,
    )

    assert.equal(status, 0, stderr)
    assert.match(stderr, /Every byte is as its index says/)
  })

  it('leaves nothing in the temporary folder when it is ended in the middle', async () => {
    const temporary = join(folder, 'tmp')
    mkdirSync(temporary)
    const args = [CLI, 'bundle', 'export', '*', '--output', '-', '--config', config]
    const child = spawn(process.execPath, args, {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await once(child.stdout, 'readable')
    const before = readdirSync(temporary)

    child.kill('SIGTERM')
    const [status] = await once(child, 'exit')

    assert.match(before.join(), /^rackstrap-bundle-/)
    assert.deepEqual([status, readdirSync(temporary)], [143, []])
  })

  it('ends without a word when nobody reads it any more, with the status of SIGPIPE as others do', async () => {
    const { status, stdout, stderr } = await shell('"$@" | head -c 10', 'registry', 'list', '--config', config)

    assert.deepEqual([status, stdout.length, stderr], [141, 10, ''])
  })

  const printing = [
    ['--help'],
    ['config', 'docs'],
    ['images', 'list', '--config', config],
    ['registry', 'list', '--config', config],
  ]
  it('makes the command fail where there is no room for it', async () => {
    const all = await Promise.all(printing.map((args) => shell('"$@" > /dev/full', ...args)))

    for (const [index, { status, stderr }] of all.entries()) {
      const words =
        'rackstrap: Standard output cannot be written: ENOSPC: no space left on device, write. Not all that was to be printed arrived.\n'
      assert.deepEqual([status, stderr], [1, words], printing[index]?.join(' '))
    }
  })

  it('makes the command fail when only a part of it has room', async () => {
    const { status, stderr } = await shell('ulimit -f 64; "$@" > part', 'registry', 'list', '--config', config)

    assert.equal(status, 1)
    assert.match(stderr, /^rackstrap: Standard output cannot be written: EFBIG/)
  })

  it('does not need anybody who reads its errors', async () => {
    const { status, stdout } = await shell('"$@" 2> /dev/full', 'config', 'check', '--config', config)

    assert.equal(status, 0)
    assert.match(stdout, /^# .*this is what would be used/)
  })
})

/** One image under many tags, as the registry's folder keeps it. */
function layTags(storage_path: string): void {
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE, manifests: [] })
  const hex = createHash('sha256').update(manifest).digest('hex')
  const repository = join(storage_path, 'repositories/app')
  const lay = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  lay(join(storage_path, 'blobs/sha256', hex), manifest)
  lay(join(repository, '_manifests/sha256', hex), MEDIA_TYPE)
  const first = join(repository, `_tags/${tagOf(0)}`)
  lay(first, `sha256:${hex}`)
  for (let index = 1; index < TAGS; index++) linkSync(first, join(repository, `_tags/${tagOf(index)}`))
}
