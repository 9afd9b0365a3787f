/** kill -9 at any instant, hundreds of times over. RACKSTRAP_KILL_ROUNDS=N asks for more rounds. */
import { describe, it } from 'node:test'
import { surviveKills } from './kill-rounds.ts'

const ROUNDS = Number(process.env.RACKSTRAP_KILL_ROUNDS ?? 208)

describe('kill -9 during pushes', () => {
  it('loses no acknowledged blob, manifest or tag, and shows none that is damaged', (t) => surviveKills(t, ROUNDS))
})
