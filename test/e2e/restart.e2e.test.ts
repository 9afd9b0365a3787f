/** The appliance and its parts die in the middle of a deploy: the machine gets its operating system all the same. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Rack } from '../rack/rack.ts'
import { DEPLOY_DEADLINE_MS, deploy, foldersOf, ownImage, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

/** The process of that name whose parent is the rack's appliance or belongs to its namespace. */
function pidOf(name: string, rack: Rack): number | undefined {
  const folder = rack.folder
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return words.split('\0')[0]?.endsWith(name) && words.includes(folder)
      } catch {
        // It has ended between the two looks.
        return false
      }
    })
}

describe('an appliance that is killed while an image is written', () => {
  it('goes on from there after its start, with dnsmasq killed as well', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    const image = await ownImage()
    await using rack = await rackFor(test, { images: foldersOf(image), resumes: true })
    let kills = 0
    const restarted = Promise.withResolvers<void>()
    rack.appliance.onLine(({ message, step }) => {
      if (message !== 'step started' || step !== 'write_image' || kills++ > 0) return
      const again = async () => {
        const dnsmasq = pidOf('dnsmasq', rack)
        assert.ok(dnsmasq, 'dnsmasq runs')
        const from = rack.appliance.lines.length
        process.kill(dnsmasq, 'SIGKILL')
        const isAgain = ({ message }: { message: string }) => message === 'dnsmasq started'
        await rack.appliance.waitFor('dnsmasq started', isAgain, { timeout_s: 60, from })
        await rack.appliance.kill()
        await rack.appliance.start(AbortSignal.timeout(60_000))
      }
      again().then(restarted.resolve, restarted.reject)
    })

    const [timelines] = await Promise.all([deploy(rack, image, { applianceMayRest: true }), restarted.promise])

    assert.equal(kills > 0, true)
    assert.ok(timelines[0]?.isHome)
    assert.equal((await showNode(rack, 'rack-1')).provision_state, 'active')
  })
})
