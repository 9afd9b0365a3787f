/** What an operator is told when Debian's packages cannot be had. Nothing is fetched. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { unpackPackages } from '../../../pxe/ramdisk/packages.ts'
import { withFolder } from './folder.ts'

const MODULE = join(import.meta.dirname, '../../../pxe/ramdisk/packages.ts')
const NOBODY = 65534
const isInstalled = existsSync('/usr/bin/mmdebstrap')
const isRoot = process.getuid?.() === 0
const knowsTrixie = existsSync('/usr/share/keyrings/debian-archive-trixie-stable.gpg')

/** In a process of its own, for its user and its PATH. */
function refusal(folder: string, uid: number | undefined): string {
  const options = `{ packages: ['libc6'], components: ['main'], folder: '${folder}/root', signal: AbortSignal.timeout(9000) }`
  const script = `
    const { unpackPackages } = await import('${MODULE}')
    await unpackPackages(${options}).catch((error) => console.log(error.name + ': ' + error.message))`
  const user = uid === undefined ? {} : { uid, gid: uid }
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    ...user,
    env: { PATH: folder },
    encoding: 'utf8',
  })
}

describe("unpacking the ramdisk's packages", () => {
  it('asks for root before anything else', () =>
    withFolder(async (folder) => {
      const told = refusal(folder, isRoot ? NOBODY : undefined)

      const expected = "Only root can unpack the ramdisk's packages as they are. Run the command again with sudo."
      assert.equal(told, `PxeError: ${expected}\n`)
    }))

  it('names the Debian package of a program that is missing', { skip: !isRoot || !knowsTrixie }, () =>
    withFolder(async (folder) => {
      const told = refusal(folder, undefined)

      const why = 'mmdebstrap is not installed. Install the Debian package mmdebstrap.'
      assert.equal(told, `PxeError: The ramdisk's packages cannot be unpacked: ${why}\n`)
    }),
  )

  it('leaves no process and no file when it is interrupted', { skip: !isRoot || !knowsTrixie || !isInstalled }, () =>
    withFolder(async (folder) => {
      const root = join(folder, 'root')
      const stop = new AbortController()
      const before = temporaryFiles()
      const unpacking = unpackPackages({ packages: ['libc6'], components: ['main'], folder: root, signal: stop.signal })
      const failed = assert.rejects(unpacking, /interrupted/)
      while (!existsSync(`${root}.tmp`) || !existsSync(root)) await setImmediate()

      stop.abort(new Error('interrupted'))
      await failed

      assert.deepEqual(temporaryFiles(), before)
      assert.equal(existsSync(`${root}.tmp`), false)
      assert.deepEqual(processesThatName(folder), [])
    }),
  )
})

const temporaryFiles = () => readdirSync(tmpdir()).filter((name) => name.startsWith('mmdebstrap.'))

/** Command lines of all that run. */
const processesThatName = (folder: string) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        // It has ended.
        return []
      }
    })
    .filter((line) => line.includes(folder))
