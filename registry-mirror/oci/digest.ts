/**
 * Digests as the OCI image specification writes them: sha256 and sha512, lower case. Nothing else can become part of
 * a path.
 */
import { createHash, type Hash } from 'node:crypto'

const HEX_DIGITS = { sha256: 64, sha512: 128 } as const
export type Algorithm = keyof typeof HEX_DIGITS
/** Made by parseDigest and digestOf only, so that it is safe in a path and a header. */
export type Digest = string & { readonly kind: 'digest' }

export const ALGORITHMS = Object.keys(HEX_DIGITS) as readonly Algorithm[]
export const isAlgorithm = (text: string): text is Algorithm => Object.hasOwn(HEX_DIGITS, text)

/** @returns undefined  the text is none, or names another algorithm */
export function parseDigest(text: string): Digest | undefined {
  const [, algorithm = '', hex = ''] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? []
  return isAlgorithm(algorithm) && hex.length === HEX_DIGITS[algorithm] ? (text as Digest) : undefined
}

export const algorithmOf = (digest: Digest): Algorithm => digest.slice(0, digest.indexOf(':')) as Algorithm
export const hexOf = (digest: Digest): string => digest.slice(digest.indexOf(':') + 1)
export const digestOf = (algorithm: Algorithm, bytes: Uint8Array): Digest =>
  digestOfHash(algorithm, createHash(algorithm).update(bytes))
export const digestOfHash = (algorithm: Algorithm, hash: Hash): Digest => `${algorithm}:${hash.digest('hex')}` as Digest
