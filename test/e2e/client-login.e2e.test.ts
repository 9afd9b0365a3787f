/** The real `baremetal` client against a box with users, over https. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startBox } from '../attacks/box.ts'
import { run } from '../rack/run-program.ts'

const CLIENT_DEADLINE_S = 60

describe('the baremetal client with a user, over https by the CA of the box', () => {
  it('logs in, makes and manages a node, and is turned away with a wrong password', async (t) => {
    const box = await startBox(t, '[DEFAULT]\nauth_strategy = http_basic\n[api]\nenable_ssl_api = True\n')
    const env = {
      ...process.env,
      OS_AUTH_TYPE: 'http_basic',
      OS_ENDPOINT: box.api,
      OS_USERNAME: 'admin',
      OS_PASSWORD: readFileSync(join(box.state_path, 'admin-password'), 'utf8').trim(),
      OS_CACERT: join(box.state_path, 'ca/ca.crt'),
      PYTHONWARNINGS: 'ignore',
    }
    const baremetal = (more: Record<string, string>, ...words: string[]) =>
      run('baremetal', words, { env: { ...env, ...more }, timeout_s: CLIENT_DEADLINE_S, signal: t.signal })

    await baremetal({}, 'node', 'create', '--driver', 'fake-hardware', '--name', 'n1')
    await baremetal({}, 'node', 'manage', 'n1', '--wait')
    const state = await baremetal({}, 'node', 'show', 'n1', '-f', 'value', '-c', 'provision_state')

    assert.match(box.api, /^https:/)
    assert.equal(state.trim(), 'manageable')
    await assert.rejects(baremetal({ OS_PASSWORD: 'wrong' }, 'node', 'list'), /Unauthorized \(HTTP 401\)/)
    await assert.rejects(baremetal({ OS_CACERT: '' }, 'node', 'list'), /CERTIFICATE_VERIFY_FAILED/)
  })
})
