/** Recognizes what is no raw disk, whatever it was declared to be, by its first bytes. */
const SIGNS: Readonly<Record<string, Buffer>> = {
  qcow2: Buffer.from('QFI\xfb', 'latin1'),
  vmdk: Buffer.from('KDMV', 'latin1'),
  vhdx: Buffer.from('vhdxfile', 'latin1'),
  gzip: Buffer.from([0x1f, 0x8b, 0x08]),
  zstd: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
  xz: Buffer.from('\xfd7zXZ\0', 'latin1'),
  html: Buffer.from('<!DOCTYPE', 'latin1'),
}

/** @param start  some first bytes. @returns undefined: it may be a raw disk */
export function foreignFormat(start: Buffer): string | undefined {
  return Object.keys(SIGNS).find((name) => {
    const sign = SIGNS[name]
    return sign !== undefined && start.subarray(0, sign.length).equals(sign)
  })
}
