/** What bootc_install takes, and what it refuses before it touches anything. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DIGEST, MIRROR, someArguments, TICKET } from './arguments.ts'

describe('arguments of bootc_install', () => {
  it('fills in what is left out', () => {
    assert.deepEqual(someArguments({ scratch: undefined }), {
      reference: 'quay.io/org/app:v1',
      digest: DIGEST,
      mirror: { ...MIRROR, ca: undefined, ticket: undefined },
      scratch: 'target',
      tpm2_luks: false,
      size_bytes: undefined,
      layers: undefined,
      timeout_s: 7200,
      finish: undefined,
    })
  })

  it('takes a scratch disk, a ticket, and references with a port', () => {
    const args = someArguments({
      reference: 'registry.example:5000/app:v1',
      scratch: '/dev/vdb',
      mirror: { ...MIRROR, ticket: TICKET },
    })

    assert.equal(args.reference, 'registry.example:5000/app:v1')
    assert.equal(args.scratch, '/dev/vdb')
    assert.deepEqual(args.mirror.ticket, TICKET)
  })

  const refused: Readonly<Record<string, [Record<string, unknown>, string]>> = {
    'an option as reference': [{ reference: '--root=/' }, 'The step\'s argument reference cannot be used: "--root=/".'],
    'a reference that ends its line': [
      { reference: 'quay.io/a"\nlocation = "b' },
      'The step\'s argument reference cannot be used: "quay.io/a\\"\\nlocation = \\"b".',
    ],
    'a short digest': [{ digest: 'sha256:a1' }, 'The step\'s argument digest cannot be used: "sha256:a1".'],
    'no digest': [{ digest: undefined }, "The step's argument digest cannot be used: it is missing."],
    'no mirror': [{ mirror: 'x' }, "The step's argument mirror is missing, or is no object."],
    'a scratch outside of /dev': [
      { scratch: '/dev/../etc' },
      'The step\'s argument scratch cannot be used: "/dev/../etc".',
    ],
    'a password with a line break, without showing it': [
      { mirror: { ...MIRROR, ticket: { username: 'a', password: 'b\nc' } } },
      "The step's argument mirror.ticket.password cannot be used: it is no password.",
    ],
    'no time at all': [{ timeout_s: 0 }, "The step's argument timeout_s is 0: a number from 1 to 86400 is wanted."],
  }
  for (const [name, [changes, message]] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      assert.throws(() => someArguments(changes), { message })
    })
  }
})
