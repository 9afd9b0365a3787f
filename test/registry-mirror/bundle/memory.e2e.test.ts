/** Memory of an export and an import does not grow with what is carried. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { descriptor, IMAGE, pushBlob, pushManifest, temporaryFolder, testRegistry } from '../registry.ts'
import { exportFrom, importInto } from './bundles.ts'

const execute = promisify(execFile)
const DEADLINE_MS = 60_000
const MIB = 1024 * 1024
const CHILD = join(import.meta.dirname, 'child.ts')

/** A folder of a registry that holds an image of one sparse layer. */
async function storageWith(t: TestContext, size_bytes: number): Promise<string> {
  const registry = await testRegistry(t)
  await pushBlob(registry, 'app', Buffer.from('{}'))
  const file = join(temporaryFolder(t), 'layer')
  writeFileSync(file, '')
  truncateSync(file, size_bytes)
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hash.update(chunk)
  const hex = hash.digest('hex')
  // As if it had been pushed: it would take the test longer.
  for (const folder of ['blobs/sha256', 'repositories/app/_blobs/sha256'])
    mkdirSync(join(registry.folder, folder), { recursive: true })
  renameSync(file, join(registry.folder, 'blobs/sha256', hex))
  writeFileSync(join(registry.folder, 'repositories/app/_blobs/sha256', hex), '')
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${hex}`, size: size_bytes }
  const config = descriptor('application/vnd.oci.image.config.v1+json', '{}')
  const text = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config, layers: [layer] })
  await pushManifest(registry, { name: 'app', reference: 'v1' }, text)
  const folder = temporaryFolder(t)
  const { path } = await exportFrom(t, registry, { images: ['app:v1'] })
  await importInto({ folder, port: 0 }, path)
  return folder
}

const run = async (...args: string[]) =>
  Number(
    (await execute(process.execPath, [CHILD, ...args], { timeout: DEADLINE_MS })).stdout.trim().split('\n').at(-1),
  ) * 1024

describe('memory', () => {
  it('is the same for 500 MiB as for 100', async (t) => {
    const peaks: Record<string, number> = {}
    for (const size of [100, 500]) {
      const folder = temporaryFolder(t)
      const path = join(folder, 'bundle.tar')
      peaks[`export ${size}`] = await run('export', await storageWith(t, size * MIB), path)
      assert.ok(statSync(path).size > size * MIB)
      peaks[`import ${size}`] = await run('import', join(folder, 'to'), path)
    }

    const mib = Object.entries(peaks).map(([what, bytes]) => `${what} MiB: ${Math.round(bytes / MIB)} MiB`)
    t.diagnostic(mib.join(', '))
    for (const what of ['export', 'import']) {
      const grown = Number(peaks[`${what} 500`]) - Number(peaks[`${what} 100`])
      assert.ok(grown < 64 * MIB, `${what} takes more memory for more content: ${mib.join(', ')}`)
    }
  })
})
