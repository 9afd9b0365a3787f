/** A registry on a port and in a folder of its own, and a client that shows all of each answer. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext } from 'node:test'
import {
  type ImageProvider,
  type RegistryConfig,
  type RegistryGiven,
  type RegistryLog,
  type RunningRegistry,
  startRegistry,
} from '../../registry-mirror/index.ts'

export const IMAGE = 'application/vnd.oci.image.manifest.v1+json'
export const INDEX = 'application/vnd.oci.image.index.v1+json'

export type Answer = {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
  /** undefined when the body is no JSON. */
  json: Json | undefined
}
export type Json = Record<string, unknown>
export type Ask = { headers?: Record<string, string>; body?: Uint8Array | string }
export type LogLine = { level: string; message: string; [field: string]: unknown }

export type TestRegistry = {
  readonly port: number
  readonly folder: string
  readonly lines: LogLine[]
  /** What the appliance asks it for a machine. */
  readonly images: ImageProvider
  ask(method: string, path: string, ask?: Ask): Promise<Answer>
  /** Stops it, and starts another one on the same folder. */
  restart(): Promise<void>
  openForPulls(): Promise<number>
}

export const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
export const sha512 = (bytes: Uint8Array | string) => `sha512:${createHash('sha512').update(bytes).digest('hex')}`
export const someBytes = (length = 1000) => randomBytes(length)

export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'registry-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function configOf(storage_path: string): RegistryConfig {
  const connections = { max_connections: 1000, max_connections_per_host: 200 }
  const limits = { ...connections, upload_timeout: 3600, max_uploads: 100, max_blob_size: 0, quota: 0, min_free: 0 }
  const keeping = { gc_interval: 86400, gc_grace: 3600, scrub_interval: 0, scrub_rate: 0, sync_interval: 0 }
  // Where upstreams of tests are.
  const pulling = { other_upstreams: true, reachable_networks: ['127.0.0.0/8', '::1'] }
  const clock = { gc_at: undefined, scrub_at: undefined, sync_at: undefined }
  const tls = { cert_file: undefined, key_file: undefined }
  const access = { htpasswd_file: undefined, token_file: undefined, anonymous_pull: true, access_rules: [] }
  return { host_ip: '127.0.0.1', port: 0, storage_path, ...tls, ...access, ...limits, ...keeping, ...clock, ...pulling }
}

export function logTo(lines: LogLine[]): RegistryLog {
  const at = (level: string) => (message: string, fields?: Json) => void lines.push({ level, message, ...fields })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Stopped, and its folder gone, when the test is over. */
export async function testRegistry(
  t: Pick<TestContext, 'after'>,
  change: Partial<RegistryConfig> = {},
  given: Partial<RegistryGiven> = {},
): Promise<TestRegistry> {
  const registry = new FolderRegistry(realpathSync(mkdtempSync(join(tmpdir(), 'registry-'))), change, given)
  // In this order: what stops still writes into its folder.
  t.after(async () => {
    await registry.stop()
    rmSync(registry.folder, { recursive: true, force: true })
  })
  await registry.start()
  return registry
}

/** The same for all tests of the suite that it is called in. */
export function suiteRegistry(): TestRegistry {
  const registry = new FolderRegistry(realpathSync(mkdtempSync(join(tmpdir(), 'registry-'))), {})
  before(() => registry.start())
  after(async () => {
    await registry.stop()
    rmSync(registry.folder, { recursive: true, force: true })
  })
  return registry
}

class FolderRegistry implements TestRegistry {
  readonly folder: string
  readonly lines: LogLine[] = []
  readonly #change: Partial<RegistryConfig>
  readonly #given: Partial<RegistryGiven>
  #running: RunningRegistry | undefined

  constructor(folder: string, change: Partial<RegistryConfig>, given: Partial<RegistryGiven> = {}) {
    this.folder = folder
    this.#change = change
    this.#given = given
  }

  get port(): number {
    return this.#running?.port ?? 0
  }
  get images(): ImageProvider {
    if (this.#running === undefined) throw new Error('the registry does not run')
    return this.#running
  }
  openForPulls(): Promise<number> {
    if (this.#running === undefined) throw new Error('the registry does not run')
    return this.#running.openForPulls()
  }
  async start(): Promise<void> {
    this.#running = await startRegistry({ ...configOf(this.folder), ...this.#change }, logTo(this.lines), this.#given)
  }
  async stop(): Promise<void> {
    await this.#running?.stop()
  }
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }
  ask(method: string, path: string, ask?: Ask): Promise<Answer> {
    return askPort(this.port, method, path, ask)
  }
}

export async function askPort(
  port: number,
  method: string,
  path: string,
  { headers = {}, body }: Ask = {},
): Promise<Answer> {
  const isStreamed = body === undefined || 'transfer-encoding' in headers
  const length = isStreamed ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const asked = request({ host: '127.0.0.1', port, method, path, headers: { ...length, ...headers } }).end(body)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  return { status: response.statusCode ?? 0, headers: response.headers, body: bytes, json: jsonOf(bytes) }
}

function jsonOf(bytes: Buffer): Json | undefined {
  try {
    return JSON.parse(bytes.toString()) as Json
  } catch {
    // It is none, which the type says.
    return undefined
  }
}

/** @returns its digest */
export async function pushBlob(registry: Pick<TestRegistry, 'ask'>, name: string, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes)
  const { status } = await registry.ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes })
  if (status !== 201) throw new Error(`pushing a blob was answered with ${status}`)
  return digest
}

export const descriptor = (mediaType: string, bytes: Uint8Array | string) => ({
  mediaType,
  digest: sha256(bytes),
  size: Buffer.byteLength(bytes),
})

/** An image of a random layer, its blobs pushed. @returns the manifest's text */
export async function imageIn(registry: Pick<TestRegistry, 'ask'>, name: string, more: Json = {}): Promise<string> {
  const config = Buffer.from('{}')
  const layer = someBytes()
  await pushBlob(registry, name, config)
  await pushBlob(registry, name, layer)
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    ...more,
  })
}

export function pushManifest(
  registry: Pick<TestRegistry, 'ask'>,
  at: { name: string; reference: string; type?: string; headers?: Record<string, string> },
  text: string,
): Promise<Answer> {
  return registry.ask('PUT', `/v2/${at.name}/manifests/${at.reference}`, {
    headers: { 'content-type': at.type ?? IMAGE, ...at.headers },
    body: text,
  })
}

/** What an answer with an error says, in short. */
export function errorOf({ status, json }: Answer): [number, unknown, unknown] {
  const [error] = (json?.errors ?? []) as { code: string; message: string }[]
  return [status, error?.code, error?.message]
}
