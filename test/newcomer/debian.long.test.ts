/**
 * README's first command where a newcomer stands: in a fresh Debian, with the Node and npm that it brings. Takes
 * minutes each.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { copyCheckout } from './checkout.ts'
import { freshDebian } from './debian.ts'

const DEADLINE_S = 1800
/** Debian packages take minutes; nobody shall wonder whether it still runs. */
const SILENCE_LIMIT_S = 60

/** Of the output: all of it, and its longest silence. */
function listener() {
  const heard = { text: '', silence_s: 0, last_ms: Date.now() }
  const onOutput = (text: string) => {
    const now_ms = Date.now()
    heard.silence_s = Math.max(heard.silence_s, (now_ms - heard.last_ms) / 1000)
    heard.last_ms = now_ms
    heard.text += text
  }
  return { heard, onOutput }
}

describe('npm run rack, on a fresh machine', () => {
  for (const [name, suite, user] of [
    ['Debian 12', 'bookworm', 'root'],
    ['Debian 13', 'trixie', 'newcomer'],
  ] as const) {
    it(`installs what it needs and deploys a machine: ${name}, its own nodejs and npm, as ${user}`, {
      timeout: 2 * DEADLINE_S * 1000,
    }, async (t) => {
      await using debian = await freshDebian(suite)
      await copyCheckout(join(debian.root, 'home/newcomer/rackstrap'))
      await debian.shell(`chown -R ${user}: /home/newcomer/rackstrap`)
      const inCheckout = (script: string, more = {}) =>
        debian.shell(`cd ~newcomer/rackstrap; ${script}`, { user, timeout_s: DEADLINE_S, ...more })
      t.diagnostic(`${name}: Node and npm ${(await inCheckout('node --version; npm --version')).replaceAll('\n', ' ')}`)

      const { heard, onOutput } = listener()
      const began_ms = Date.now()
      await inCheckout('npm run rack', { onOutput })
      t.diagnostic(`${name}: ${Math.round((Date.now() - began_ms) / 1000)} s, longest silence ${heard.silence_s} s`)

      assert.match(heard.text, /downloading \d+ Debian packages \(\d[^)]*\) \.\.\./)
      assert.match(heard.text, /Debian packages installed after \d+ s/)
      assert.match(heard.text, /runs its operating system \d+\.\d s after the deploy call/)
      assert.ok(heard.silence_s < SILENCE_LIMIT_S, heard.text)
      assert.equal(await inCheckout('npx rackstrap --version'), '0.1.0\n')
    })
  }
})
