/** What programs of plugins do not see of the box. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hiddenOf } from '../../../appliance/serve/hidden.ts'
import { settingsOf } from './settings.ts'

const FILE = '/etc/rackstrap/rackstrap.conf'
const TEXT = `
[DEFAULT]
state_path = /srv/state
http_basic_auth_user_file = /srv/users/htpasswd
[api]
key_file = /srv/tls/api.key
cert_file = /srv/tls/api.pem
[ssl]
key_file = /srv/tls/ssl.key
[oci]
authentication_config = /srv/auth.json
[registry]
enabled = ENABLED
storage_path = /srv/registry
key_file = /srv/tls/registry.key
cert_file = /srv/tls/registry.pem
htpasswd_file = /srv/users/registry
token_file = /srv/users/tokens
`

const hidden = async (enabled: string) => {
  const { config, registry } = await settingsOf(TEXT.replace('ENABLED', enabled))
  return hiddenOf(config, FILE, registry).paths.toSorted()
}

describe('what is hidden from programs of plugins', () => {
  const always = [FILE, '/srv/auth.json', '/srv/state', '/srv/tls/api.key', '/srv/tls/ssl.key', '/srv/users/htpasswd']

  it('is state_path, the configuration, and each secret file that an option names, wherever it is', async () => {
    assert.deepEqual(await hidden('False'), always.toSorted())
  })

  it("is the registry mirror's, too, while there is one", async () => {
    const own = ['/srv/registry', '/srv/tls/registry.key', '/srv/users/registry', '/srv/users/tokens']

    assert.deepEqual(await hidden('True'), [...always, ...own].toSorted())
  })
})
