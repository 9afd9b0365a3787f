/** A config drive taken apart for installers that write its files by themselves; by the real isoinfo. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { encodeConfigDrive } from '../../../appliance/images/config-drive.ts'
import { readConfigDriveFiles } from '../../../appliance/images/config-drive-files.ts'

const signal = AbortSignal.timeout(60_000)

/** @returns base64 of a gzipped volume with these files */
function driveOf(t: TestContext, files: Record<string, Uint8Array | string>, options = ['-r']): string {
  const folder = mkdtempSync(join(tmpdir(), 'drive-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, 'root', path)), { recursive: true })
    writeFileSync(join(folder, 'root', path), content)
  }
  const volume = join(folder, 'volume.iso')
  execFileSync('genisoimage', ['-quiet', ...options, '-V', 'config-2', '-o', volume, join(folder, 'root')])
  return gzipSync(readFileSync(volume)).toString('base64')
}

describe('the files of a config drive', () => {
  it('are those of the drive that the appliance made', async () => {
    const drive = { meta_data: { hostname: 'n1' }, user_data: '#cloud-config\n' }
    const encoded = await encodeConfigDrive(drive, { uuid: 'u1', name: 'n1' }, signal)

    const files = await readConfigDriveFiles(encoded, signal)

    assert.deepEqual(
      files.map(({ path }) => path),
      ['2012-08-10', 'latest'].flatMap((version) => [
        `openstack/${version}/meta_data.json`,
        `openstack/${version}/user_data`,
      ]),
    )
    assert.deepEqual(JSON.parse(Buffer.from(files[2]?.content ?? []).toString()), {
      ...{ uuid: 'u1', name: 'n1' },
      hostname: 'n1',
    })
  })

  it('come byte by byte, also when they are no text, and empty ones too', async (t) => {
    const content = { 'openstack/content/0000': new Uint8Array([0, 255, 10, 128]), 'openstack/empty': '' }

    const files = await readConfigDriveFiles(driveOf(t, content), signal)

    assert.deepEqual(
      files.map(({ path, content }) => [path, [...content]]),
      [
        ['openstack/content/0000', [0, 255, 10, 128]],
        ['openstack/empty', []],
      ],
    )
  })

  it('are refused when a name is not plain: it would be written into a shell script', async (t) => {
    const drive = driveOf(t, { 'a;reboot': 'x' })

    await assert.rejects(readConfigDriveFiles(drive, signal), {
      message:
        'The config drive cannot be handed to an installer: it has a file whose name is not of letters, digits, ".", "_" and "-" ("a;reboot"; Rock Ridge names are read).',
    })
  })

  it('are refused when they are too many or too large', async (t) => {
    const many = driveOf(t, Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`f${at}`, 'x'])))
    const large = driveOf(t, { one: Buffer.alloc(5_000_000), two: Buffer.alloc(5_000_000) })

    await assert.rejects(readConfigDriveFiles(many, signal), /it has 201 files: at most 200 are taken/)
    await assert.rejects(readConfigDriveFiles(large, signal), /it has more than 8 MiB of files/)
  })
})
