/** Passes content on and proves it: content that does not match its digest ends in an error after its last byte. */
import { createHash } from 'node:crypto'
import { algorithmOf, type Digest, digestOfHash } from '../oci/digest.ts'
import { BundleError } from './format.ts'

type Wanted = { digest: Digest; size_bytes: number }

/** @param where  for the message: where the content comes from @throws BundleError */
export async function* verified(
  content: AsyncIterable<Uint8Array>,
  { digest, size_bytes }: Wanted,
  where: string,
): AsyncGenerator<Uint8Array, void> {
  const algorithm = algorithmOf(digest)
  const hash = createHash(algorithm)
  let bytes = 0
  for await (const chunk of content) {
    bytes += chunk.length
    if (bytes > size_bytes) throw new BundleError(`${where} is longer than ${size_bytes} bytes, as it should be.`)
    hash.update(chunk)
    yield chunk
  }
  if (bytes < size_bytes) throw new BundleError(`${where} ends at ${bytes} of ${size_bytes} bytes.`)
  const found = digestOfHash(algorithm, hash)
  if (found !== digest) throw new BundleError(`${where} is damaged: its digest is ${found}, not ${digest}.`)
}
