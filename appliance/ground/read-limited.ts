/** Reads what comes in pieces, whole, and no more of it than a limit. */

/**
 * @param source  a stream is destroyed when it has more
 * @param refusal  what is thrown then
 */
export async function readLimited(
  source: AsyncIterable<Uint8Array>,
  limit_bytes: number,
  refusal: () => Error,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > limit_bytes) throw refusal()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes)
}
