/** A real HTTP proxy in front of a real upstream: passes everything on and counts it, until it is told to do worse. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

export type Fault = {
  /** Answers so, without asking the upstream. */
  status?: number
  /** Of the answer; an empty text takes the header away. */
  headers?: Record<string, string>
  /** The connection is closed before any answer. */
  refuses?: true
  /** Nothing is answered, ever. */
  silent?: true
  /** Before the answer begins. */
  delay_ms?: number
  /** Of the body; then the connection is cut. */
  cut_after?: number
  /** Of the body; then the answer ends as if that were all. */
  end_after?: number
  /** Of the body; then nothing more comes. */
  stall_after?: number
  /** This byte of the body is another one. */
  corrupt_at?: number
  bytes_per_s?: number
}
type Asked = { method: string; url: string; headers: IncomingHttpHeaders }

export type FaultInjector = {
  readonly port: number
  readonly url: string
  readonly asked: Asked[]
  /** Of the bodies that went through. */
  readonly bodyBytes: number
  /** For requests whose `METHOD path` matches, so many times; it replaces what was told before. */
  fault(match: RegExp, fault: Fault, times?: number): void
  heal(): void
  forget(): void
  /** `METHOD path` of all that was asked, without those for /v2/ and tokens. */
  lines(): string[]
  /** Requests that were under way at one time. */
  readonly mostAtOnce: number
  /** As some upstreams do. */
  ignoresRange: boolean
  /** With 416. */
  refusesRange: boolean
  /** When the first byte of a body went out last, by performance.now(). */
  readonly firstByteAt: number
}

/** @param upstreamPort  of a registry on loopback */
export async function faultInjector(t: Pick<TestContext, 'after'>, upstreamPort: () => number): Promise<FaultInjector> {
  const injector = new Injector(upstreamPort)
  await injector.start()
  t.after(() => injector.stop())
  return injector
}

class Injector implements FaultInjector {
  readonly asked: Asked[] = []
  bodyBytes = 0
  firstByteAt = 0
  mostAtOnce = 0
  ignoresRange = false
  refusesRange = false
  #underWay = 0
  readonly #upstreamPort: () => number
  readonly #server = createServer((request, response) => {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#underWay)
    response.once('close', () => this.#underWay--)
    this.#answer(request, response).catch(() => response.destroy())
  })
  #faults: { match: RegExp; fault: Fault; left: number }[] = []

  constructor(upstreamPort: () => number) {
    this.#upstreamPort = upstreamPort
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }
  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }
  fault(match: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#faults = [{ match, fault, left: times }]
  }
  heal(): void {
    this.#faults = []
  }
  forget(): void {
    this.asked.length = 0
    this.bodyBytes = 0
  }
  lines(): string[] {
    return this.asked.map(({ method, url }) => `${method} ${url}`)
  }

  async #answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = asked
    this.asked.push({ method, url, headers })
    const told = this.#faults.find(({ match, left }) => left > 0 && match.test(`${method} ${url}`))
    if (told) told.left--
    const fault = told?.fault ?? {}
    if (fault.refuses) return void response.destroy()
    if (fault.silent) return
    if (fault.delay_ms) await sleep(fault.delay_ms)
    if (fault.status) return void response.writeHead(fault.status, fault.headers).end()
    if (this.refusesRange && headers.range !== undefined) return void response.writeHead(416).end()
    // The connection is of one hop alone.
    const { range, connection: _, ...others } = headers
    const forwarded = request({
      host: '127.0.0.1',
      port: this.#upstreamPort(),
      method,
      path: url,
      headers: this.ignoresRange || range === undefined ? others : { ...others, range },
    }).end()
    const [answer] = (await once(forwarded, 'response')) as [IncomingMessage]
    response.writeHead(answer.statusCode ?? 500, changed(answer.headers, fault.headers))
    await this.#pass(answer, response, fault)
  }

  async #pass(answer: IncomingMessage, response: ServerResponse, fault: Fault): Promise<void> {
    let passed = 0
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      const limit = fault.cut_after ?? fault.end_after ?? fault.stall_after ?? Number.POSITIVE_INFINITY
      const piece = Buffer.from(chunk.subarray(0, Math.max(limit - passed, 0)))
      const at = (fault.corrupt_at ?? -1) - passed
      if (at >= 0 && at < piece.length) piece[at] = (piece[at] ?? 0) ^ 0xff
      if (passed === 0) this.firstByteAt = performance.now()
      passed += piece.length
      this.bodyBytes += piece.length
      if (piece.length > 0 && !response.write(piece)) await once(response, 'drain')
      if (fault.bytes_per_s) await sleep((piece.length / fault.bytes_per_s) * 1000)
      if (passed >= limit) {
        answer.destroy()
        // What was written is to arrive first.
        if (fault.end_after !== undefined) response.end()
        if (fault.cut_after === 0) response.flushHeaders()
        if (fault.cut_after !== undefined) setTimeout(() => response.destroy(), 20)
        return
      }
    }
    response.end()
  }
}

function changed(headers: IncomingHttpHeaders, change: Record<string, string> = {}): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries({ ...headers, ...change }).filter(([, value]) => value !== ''))
}
