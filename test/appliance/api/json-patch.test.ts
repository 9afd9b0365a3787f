import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyPatch, type Patch, patchSchema } from '../../../appliance/api/json-patch.ts'
import { InvalidParameterValue } from '../../../appliance/errors.ts'

const document = { extra: { list: ['a', 'b'], deep: { er: 1 } }, name: 'n1' }

describe('JSON patch', () => {
  const applied: readonly { what: string; patch: Patch; extra: unknown }[] = [
    { what: 'puts into a list', patch: [{ op: 'add', path: '/extra/list/1', value: 'x' }], extra: ['a', 'x', 'b'] },
    {
      what: 'puts at the end of a list',
      patch: [{ op: 'add', path: '/extra/list/-', value: 'x' }],
      extra: ['a', 'b', 'x'],
    },
    { what: 'takes from a list', patch: [{ op: 'remove', path: '/extra/list/0' }], extra: ['b'] },
    { what: 'replaces in a list', patch: [{ op: 'replace', path: '/extra/list/0', value: null }], extra: [null, 'b'] },
  ]
  for (const { what, patch, extra } of applied) {
    it(`${what}, and leaves the document as it was`, () => {
      const before = structuredClone(document)

      const { list } = applyPatch(document, patch).extra as { list: unknown }

      assert.deepEqual(list, extra)
      assert.deepEqual(document, before)
    })
  }

  it('has no more than 1000 operations, with paths of at most 4096 characters', () => {
    const long = `/extra${'/a'.repeat(500_000)}`
    const faults = [
      Array.from({ length: 1001 }, () => ({ op: 'remove', path: '/extra/a' })),
      [{ op: 'remove', path: long }],
    ].map((patch) => patchSchema.safeParse(patch).error?.issues.map(({ message }) => message))

    assert.deepEqual(faults, [['expected at most 1000 operations'], ['expected at most 4096 characters']])
  })

  it('applies one operation after the other', () => {
    const patch: Patch = [
      { op: 'add', path: '/extra/new', value: {} },
      { op: 'add', path: '/extra/new/key', value: 1 },
      { op: 'remove', path: '/extra/deep/er' },
    ]

    assert.deepEqual(applyPatch(document, patch).extra, { list: ['a', 'b'], deep: {}, new: { key: 1 } })
  })

  it('does not share values with the patch', () => {
    const value = { a: 1 }

    const { extra } = applyPatch(document, [{ op: 'add', path: '/extra/v', value }]) as { extra: { v: object } }

    assert.notEqual(extra.v, value)
  })

  const refused: readonly { patch: Patch; reason: string }[] = [
    { patch: [{ op: 'add', path: '/extra/list/3', value: 1 }], reason: "'3' is no place in a list of 2" },
    { patch: [{ op: 'add', path: '/extra/list/length', value: 1 }], reason: "'length' is no place in a list of 2" },
    { patch: [{ op: 'add', path: '/extra/list/01', value: 1 }], reason: "'01' is no place in a list of 2" },
    { patch: [{ op: 'remove', path: '/extra/list/2' }], reason: "can't remove a non-existent object '2'" },
    { patch: [{ op: 'remove', path: '/extra/list/-' }], reason: "can't remove a non-existent object '-'" },
    { patch: [{ op: 'add', path: '/name/first', value: 1 }], reason: "'name' holds no members" },
    { patch: [{ op: 'add', path: '/extra/a' }], reason: "the operation does not contain a 'value' member" },
    {
      patch: [{ op: 'replace', path: '/extra/toString', value: 1 }],
      reason: "can't replace a non-existent object 'toString'",
    },
  ]
  for (const { patch, reason } of refused) {
    it(`refuses ${patch[0]?.op} of ${patch[0]?.path}: ${reason}`, () => {
      const { op, path } = patch[0] ?? {}

      assert.throws(
        () => applyPatch(document, patch),
        new InvalidParameterValue(`Couldn't apply patch '{'op': '${op}', 'path': '${path}'}'. Reason: ${reason}`),
      )
    })
  }
})
