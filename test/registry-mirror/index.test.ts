/** The door of the registry: start, what stops a start, who may do what, how it ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chownSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import type { Options } from '../../appliance/plugin-api/index.ts'
import { askRegistry, registryOptions, startRegistry } from '../../registry-mirror/index.ts'
import { denied } from '../../registry-mirror/oci/errors.ts'
import {
  askPort,
  configOf,
  errorOf,
  type LogLine,
  logTo,
  pushBlob,
  sha256,
  temporaryFolder,
  testRegistry,
} from './registry.ts'

const refusalOf = (start: Promise<unknown>) =>
  start.then(
    () => 'no refusal',
    (error: Error) => `${error.name}: ${error.message}`,
  )

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

describe('a registry', () => {
  it('has an option for each value of its configuration, in the shape of the plugin contract', () => {
    const options: Options = registryOptions
    assert.deepEqual(Object.keys(options).sort(), Object.keys(configOf('/')).sort())
  })

  it('tells where it listens', async (t) => {
    const registry = await testRegistry(t)

    assert.deepEqual(registry.lines, [
      {
        level: 'info',
        message: 'registry listens',
        host_ip: '127.0.0.1',
        port: registry.port,
        storage_path: registry.folder,
      },
    ])
  })

  it('has its folder for itself, until it stops', async (t) => {
    const registry = await testRegistry(t)

    assert.equal(
      await refusalOf(startRegistry(configOf(registry.folder), logTo([]))),
      `StorageInUse: ${registry.folder} is in use by another process. Stop it, or give this registry another [registry] storage_path.`,
    )
    await registry.restart()
  })

  it('does not start on a port that is taken, and lets go of its folder', async (t) => {
    const folder = temporaryFolder(t)
    const port = await takenPort(t)

    assert.equal(
      await refusalOf(startRegistry({ ...configOf(folder), port }, logTo([]))),
      `RegistryError: Cannot listen on 127.0.0.1:${port} ([registry] host_ip and port): another program listens there already.`,
    )
    await (await startRegistry(configOf(folder), logTo([]))).stop()
  })

  it('does not start on what is no folder', async (t) => {
    const file = join(temporaryFolder(t), 'file')
    writeFileSync(file, '')

    assert.equal(
      await refusalOf(startRegistry(configOf(file), logTo([]))),
      `RegistryError: [registry] storage_path ${file} cannot be used: EEXIST: file already exists, mkdir '${file}'. Expected a folder that this process may write to.`,
    )
  })

  it('clears away what a killed one had not finished', async (t) => {
    const registry = await testRegistry(t)
    writeFileSync(join(registry.folder, 'tmp', 'half'), 'half')

    await registry.restart()

    assert.deepEqual(readdirSync(join(registry.folder, 'tmp')), [])
  })

  it('lets the one who wires it decide who may do what', async (t) => {
    const asked: string[] = []
    const running = await startRegistry(configOf(temporaryFolder(t)), logTo([]), {
      authorize: (_, { action, route }) => {
        asked.push(`${action} ${route.endpoint}`)
        if (action === 'push') throw denied('Nobody may push here.')
      },
    })
    t.after(() => running.stop())

    const pulled = await askPort(running.port, 'GET', `/v2/app/blobs/${sha256('')}`)
    const pushed = await askPort(running.port, 'POST', '/v2/app/blobs/uploads/')
    await askPort(running.port, 'DELETE', '/v2/app/manifests/latest')

    assert.equal(pulled.status, 404)
    assert.deepEqual(errorOf(pushed), [403, 'DENIED', 'Nobody may push here.'])
    assert.deepEqual(asked, ['pull blob', 'push uploads', 'delete manifest'])
  })

  it('is not opened by a command of another user, who would leave there what it cannot use', {
    skip: process.getuid?.() !== 0 && 'only root can give a folder away',
  }, async (t) => {
    const folder = temporaryFolder(t)
    chownSync(folder, 12345, 12345)

    const asked = askRegistry(configOf(folder), logTo([]), { request: { ask: 'run', job: 'gc' } })

    await assert.rejects(asked, {
      name: 'RegistryError',
      message: `${folder} belongs to user 12345, this command runs as user 0: the registry could not use what it would write there. Start the registry first, or run the command as that user.`,
    })
    assert.deepEqual(readdirSync(folder), [])
  })

  it('tells the log, not the client, what went wrong inside', async (t) => {
    const lines: LogLine[] = []
    const folder = temporaryFolder(t)
    const running = await startRegistry(configOf(folder), logTo(lines))
    t.after(() => running.stop())
    // A folder where a file is expected.
    rmSync(join(folder, 'tmp'), { recursive: true })
    writeFileSync(join(folder, 'uploads'), '')

    const [status, code, message] = errorOf(await askPort(running.port, 'POST', '/v2/app/blobs/uploads/'))

    const line = lines.find(({ level }) => level === 'error')
    assert.deepEqual([status, code], [500, 'UNKNOWN'])
    assert.equal(message, `The registry failed; its log tells why (request ${line?.request_id}).`)
    assert.match(String(line?.error), /EEXIST|ENOTDIR/)
  })

  it('breaks an answer off rather than end it short', async (t) => {
    const registry = await testRegistry(t)
    const digest = await pushBlob(registry, 'app', Buffer.alloc(32_000_000))
    const asked = request({ host: '127.0.0.1', port: registry.port, path: `/v2/app/blobs/${digest}` }).end()
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    truncateSync(join(registry.folder, 'blobs/sha256', digest.slice('sha256:'.length)), 16_000_000)

    const taken = buffer(response)

    await assert.rejects(taken, { code: 'ECONNRESET' })
    assert.equal(response.headers['content-length'], '32000000')
  })
})
