/** Entity tags: the tag of everything here is its digest. @source RFC 9110 sections 8.8.3 and 13 */
import type { IncomingHttpHeaders } from 'node:http'
import { tagsOf } from '@appliance/ground/range'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Condition } from '../storage/manifests.ts'

export const etagOf = (digest: string): string => `"${digest}"`

/** RFC 9110 section 13.1.1 and 13.1.2, for a change. */
export function conditionOf({ 'if-match': match, 'if-none-match': none }: IncomingHttpHeaders): Condition | undefined {
  if (match !== undefined) return { is: wantedOf(match) }
  if (none !== undefined) return { isNot: wantedOf(none) }
  return undefined
}

const wantedOf = (header: string): readonly Digest[] | 'any' =>
  header.trim() === '*' ? 'any' : tagsOf(header).flatMap((tag) => parseDigest(tag) ?? [])
