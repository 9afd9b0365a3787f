/**
 * The form in which a record lies on the disk: one line of JSON that vouches for itself. The same in a document and in
 * the journal.
 */
import { hash } from 'node:crypto'
import { parseExact } from '@appliance/ground/exact-number'
import type { Json } from '../../plugin-api/index.ts'

export type Document = {
  /** Counts every change in the store: of two documents of a record the higher one is newer. */
  seq: number
  /** `seq` of the record's creation; keeps the order of lists. */
  created_seq: number
  kind: string
  uuid: string
  /** Its secrets are encrypted (see secrets.ts). null: deleted; in the journal only. */
  record: Json | null
}

const HEAD = '{"checksum":"'
const MIDDLE = '","document":'
const DIGEST_LENGTH = 64
const TEXT_START = HEAD.length + DIGEST_LENGTH + MIDDLE.length
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Uuids name files: anything else must never become one. */
export const isUuid = (text: unknown): text is string => typeof text === 'string' && UUID.test(text)

/** One line, its end included. */
export function seal(document: Document): string {
  const text = JSON.stringify(document)
  return `${HEAD}${hash('sha256', text)}${MIDDLE}${text}}\n`
}

/** @param line  without its end. @returns undefined when a single bit of it is not as it was written */
export function unseal(line: string): Document | undefined {
  const text = line.slice(TEXT_START, -1)
  if (line !== `${HEAD}${hash('sha256', text)}${MIDDLE}${text}}`) return undefined
  const document = parseExact(text) as Document
  return isUuid(document.uuid) ? document : undefined
}

export const nameOf = ({ kind, uuid }: Pick<Document, 'kind' | 'uuid'>): string => `${kind}/${uuid}`
