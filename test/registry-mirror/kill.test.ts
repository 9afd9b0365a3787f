/** A few rounds of kill -9 for every change; kill.e2e.test.ts does hundreds. */
import { describe, it } from 'node:test'
import { surviveKills } from './kill-rounds.ts'

const ROUNDS = 5

describe('kill -9 during pushes', () => {
  it('loses no acknowledged blob, manifest or tag, and shows none that is damaged', (t) => surviveKills(t, ROUNDS))
})
