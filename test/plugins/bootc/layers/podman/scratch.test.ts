/** Where the scratch space is on the target disk. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { placeOnTarget, rootMib } from '../../../../../plugins/bootc/layers/podman/steps/scratch.ts'

const MIB = 1024 ** 2
const GIB = 1024 * MIB
const FRONT = { plain: 1026 * MIB, luks: 1536 * MIB }
/**
 * bootc's own layout in front of root: 1 MiB of table, then BIOS boot, EFI (1 GiB with composefs), with tpm2-luks
 * /boot.
 */
const LARGEST_FRONT = { plain: (1 + 1 + 1024) * MIB, luks: (1 + 1 + 1024 + 510) * MIB }

describe('scratch space on the target disk', () => {
  for (const size_gib of [4, 8, 20, 480, 8000]) {
    for (const kind of ['plain', 'luks'] as const) {
      it(`lies behind root and leaves the end of the disk alone: ${size_gib} GiB, ${kind}`, () => {
        const size_bytes = size_gib * GIB

        const { start_bytes, length_bytes } = placeOnTarget(size_bytes, FRONT[kind])

        const root_end_bytes = LARGEST_FRONT[kind] + rootMib(start_bytes, kind === 'luks') * MIB
        assert.ok(root_end_bytes <= start_bytes, `root ends at ${root_end_bytes}, scratch begins at ${start_bytes}`)
        assert.ok(start_bytes + length_bytes <= size_bytes - 65 * MIB)
        assert.equal(start_bytes % MIB, 0)
      })
    }
  }

  it('takes half of what a small disk has for both, and 64 GiB of a large one', () => {
    assert.equal(placeOnTarget(8 * GIB, FRONT.plain).length_bytes, 3550 * MIB)
    assert.equal(placeOnTarget(8000 * GIB, FRONT.plain).length_bytes, 64 * GIB)
  })
})
