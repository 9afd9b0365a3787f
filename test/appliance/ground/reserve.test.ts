import assert from 'node:assert/strict'
import { once } from 'node:events'
import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NO_RESERVE, openReserve, ReserveReached } from '@appliance/ground/reserve'

const MIB = 1024 * 1024
const TOO_MUCH_MIB = 2 ** 40
const here = tmpdir()

describe('the reserve of a disk', () => {
  it('is 1 GiB, or a twentieth of the disk if that is less', async () => {
    const { blocks, bsize } = statfsSync(here)

    const { bytes } = await openReserve(here)

    assert.equal(bytes, Math.floor(Math.min(1024 * MIB, (blocks * bsize) / 20)))
  })

  it('is of a folder that is not there yet, too', async () => {
    assert.equal((await openReserve(join(here, 'not/there'), 7)).bytes, 7 * MIB)
  })

  it('refuses what would touch it, with what is free, what is kept and what to do', async () => {
    const reserve = await openReserve(here, TOO_MUCH_MIB)

    await assert.rejects(reserve.require(here, 1, 'What somebody sent'), (error: Error) => {
      assert.ok(error instanceof ReserveReached)
      assert.equal(error.code, 'ENOSPC')
      assert.match(
        error.message,
        new RegExp(
          `^What somebody sent was stopped, as the disk of ${here} is nearly full: \\d+ MiB are free, and ${TOO_MUCH_MIB} MiB of it are kept for the records of the appliance \\(\\[DEFAULT\\] min_free\\)\\. Free some, or move that folder to another disk\\.$`,
        ),
      )
      return true
    })
  })

  it('ends what writes by itself', { timeout: 10_000 }, async () => {
    const reserve = await openReserve(here, TOO_MUCH_MIB)

    using room = reserve.watch([here], 'A program', (text) => new RangeError(text))
    if (!room.signal.aborted) await once(room.signal, 'abort')

    assert.match(String(room.signal.reason), /^RangeError: A program was stopped/)
  })

  it('counts in its own file system alone', async () => {
    const reserve = await openReserve('/proc', TOO_MUCH_MIB)

    await reserve.require(here, 1, 'It')

    assert.ok((await reserve.left(here)) > 0)
  })

  it('is nothing where no records are', async () => {
    await NO_RESERVE.require(here, 1, 'It')

    using room = NO_RESERVE.watch([here], 'It')
    assert.equal(room.signal.aborted, false)
  })
})
