/** What an operator is told when Debian's packages cannot be had. Nothing is fetched. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { withFolder } from './folder.ts'

const MODULE = join(import.meta.dirname, '../../../pxe/ramdisk/packages.ts')
const NOBODY = 65534
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
})
