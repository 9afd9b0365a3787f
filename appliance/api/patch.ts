/** PATCH of any resource: which fields a JSON patch may name, and what it makes of them. Knows no resource. */
import { isDeepStrictEqual } from 'node:util'
import { InvalidParameterValue } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import { checkWritten, type Fields, fieldOf, fieldValue, writableNames } from './fields.ts'
import { applyPatch, type Patch, patchSchema, rootOf } from './json-patch.ts'
import { parse } from './schema.ts'

export type Patcher<R> = {
  /** @throws InvalidParameterValue, NotAcceptable  what no record could take */
  read(body: unknown, minor: number): Patch
  /** Only what becomes another value, checked and in its one spelling. @throws InvalidParameterValue */
  changes(record: R, patch: Patch): Json
}

/** @param options.removesUnserved  whether a patch may remove a field that its microversion does not have */
export function createPatcher<R extends object>(
  fields: Fields<R>,
  options: { removesUnserved?: boolean | undefined } = {},
): Patcher<R> {
  const patchable = writableNames(fields, 'patch')
  return {
    read(body, minor) {
      const patch = parse(patchSchema, body, 'patch')
      for (const operation of patch) {
        const root = rootOf(operation)
        const isRemoval = operation.op === 'remove'
        const refusal = isRemoval ? undefined : fieldOf(fields, root)?.notByPatch
        if (refusal !== undefined) throw new InvalidParameterValue(refusal)
        if (!patchable.includes(root)) {
          throw new InvalidParameterValue(
            `Cannot patch ${operation.path}. Only the following can be updated: ${patchable.join(', ')}`,
          )
        }
        if (!isRemoval || !options.removesUnserved) checkWritten(fields, [root], minor)
      }
      return patch
    },
    changes(record, patch) {
      const before: Json = Object.fromEntries(patchable.map((name) => [name, fieldValue(fields, record, name)]))
      const after = applyPatch(before, patch)
      const changed: Json = {}
      for (const name of patchable) {
        const { write, none = null, keep } = fields[name] ?? {}
        if (!write || isDeepStrictEqual(before[name], after[name])) continue
        const given = parse(write, after[name] ?? none, `patch of ${name}`)
        const value = keep ? keep(before[name], given) : given
        if (!isDeepStrictEqual(before[name], value)) changed[name] = value
      }
      return changed
    },
  }
}
