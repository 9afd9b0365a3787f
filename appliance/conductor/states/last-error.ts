/**
 * The text of a failure as a node's last_error shows it: without secrets and control characters, cut to size. Writes
 * nothing itself.
 */
import { plainText } from '@appliance/ground/plain-text'
import { maskText } from '@appliance/ground/secret-words'

/** Characters; a column of 4 KiB is what clients are used to. */
const LIMIT = 4000
/** Longer texts are only looked at so far: masking costs time. Beyond it, nothing is shown. */
const LOOKED_AT = 64 * 1024

/** A plugin's words, or a program's, may repeat what it was called with. */
export const lastErrorOf = ({ message }: Error): string =>
  maskText(plainText(message.slice(0, LOOKED_AT)))
    .slice(0, LIMIT)
    .toWellFormed()
    .trim()
