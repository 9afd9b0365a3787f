/** The certificate and key of TLS. They are read at the start and again when the files change, such as by a renewal. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:https'
import type { Listening } from './listen.ts'

const LOOK_EVERY_MS = 60_000

type Pem = { cert: string; key: string }
type Paths = { cert_file: string | undefined; key_file: string | undefined }
type Log = { info(message: string, fields?: object): void; error(message: string, fields?: object): void }
export type CertificateGiven = Paths & {
  /** Of the options, e.g. registry. */
  section: string
  /** The caller's own kind of error. */
  fail(message: string, options?: ErrorOptions): Error
}

export class Certificate {
  current: Pem
  readonly #given: CertificateGiven
  readonly #log: Log

  private constructor(given: CertificateGiven, log: Log) {
    this.#given = given
    this.#log = log
    this.current = readPem(given)
  }

  /** @returns undefined  none is configured. @throws what `fail` makes: it cannot be used */
  static open(given: CertificateGiven, log: Log): Certificate | undefined {
    return given.cert_file || given.key_file ? new Certificate(given, log) : undefined
  }

  /** @param kept  what the server has besides: the CA of its clients. @returns how to stop it */
  follow(
    server: Pick<Server, 'setSecureContext'>,
    every_ms = LOOK_EVERY_MS,
    kept: { ca?: string | undefined } = {},
  ): () => void {
    const look = () => {
      try {
        const found = readPem(this.#given)
        if (found.cert === this.current.cert && found.key === this.current.key) return
        this.current = found
        server.setSecureContext({ ...kept, ...found })
        this.#log.info('certificate changed', { cert_file: this.#given.cert_file })
      } catch (error) {
        this.#log.error('the new certificate cannot be used; the old one stays', { error: (error as Error).message })
      }
    }
    const timer = setInterval(look, every_ms).unref()
    return () => clearInterval(timer)
  }
}

/**
 * The same listener, whose server takes the certificate anew when its files change, until it is closed.
 * @param kept  as for follow
 */
export function followed(
  listening: Listening,
  server: Server,
  certificate: Certificate,
  kept: { ca?: string | undefined } = {},
): Listening {
  const unfollow = certificate.follow(server, undefined, kept)
  const close = () => {
    unfollow()
    return listening.close()
  }
  return { port: listening.port, close }
}

function readPem({ cert_file, key_file, section, fail }: CertificateGiven): Pem {
  if (!cert_file || !key_file)
    throw fail(
      `[${section}] ${cert_file ? 'key_file' : 'cert_file'} is not set: TLS needs cert_file and key_file; for plain http set neither.`,
    )
  const read = (option: string, path: string, check: (text: string) => unknown) => {
    try {
      const text = readFileSync(path, 'utf8')
      check(text)
      return text
    } catch (error) {
      throw fail(
        `[${section}] ${option} ${path} cannot be used: ${(error as Error).message}. Expected a file in PEM.`,
        { cause: error },
      )
    }
  }
  const cert = read('cert_file', cert_file, (text) => new X509Certificate(text))
  const key = read('key_file', key_file, (text) => createPrivateKey(text))
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw fail(`[${section}] key_file ${key_file} is not the key of cert_file ${cert_file}.`)
  return { cert, key }
}
