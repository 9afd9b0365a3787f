/** By which certificate the registry mirror is reached, and under which names. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { namesOf, tlsOf } from '../../../appliance/serve/mirror-tls.ts'
import { settingsOf } from './settings.ts'

const kindOf = async (...lines: string[]) => tlsOf(await settingsOf(['[registry]', ...lines].join('\n')))
const refusalOf = (...lines: string[]) => kindOf(...lines).then(String, (error: Error) => error.message)

describe('[registry] tls', () => {
  it('is plain http on a loopback address, and a certificate of the own CA elsewhere', async () => {
    assert.equal(await kindOf(), 'plain')
    assert.equal(await kindOf('host_ip = ::1'), 'plain')
    assert.equal(await kindOf('host_ip = 192.168.50.1'), 'own')
    assert.equal(await kindOf('host_ip = 0.0.0.0'), 'own')
  })

  it('= own and = off hold wherever it listens', async () => {
    assert.equal(await kindOf('tls = own'), 'own')
    assert.equal(await kindOf('tls = off', 'host_ip = 192.168.50.1'), 'plain')
  })

  it('takes a certificate that is given', async () => {
    assert.equal(await kindOf('cert_file = /etc/box.crt', 'key_file = /etc/box.key'), 'given')
  })

  it('refuses what contradicts itself', async () => {
    assert.equal(
      await refusalOf('tls = off', 'cert_file = /etc/box.crt', 'key_file = /etc/box.key'),
      '[registry] tls is off, and cert_file is given: expected one of the two. Set tls = auto, or drop cert_file and key_file.',
    )
    assert.equal(
      await refusalOf('ca_file = /etc/ca.crt'),
      '[registry] ca_file is given without cert_file: set cert_file and key_file, or drop it.',
    )
    assert.equal(
      await refusalOf('tls_names = box.example, a b'),
      "[registry] tls_names: 'a b' is neither a host name nor an address.",
    )
  })
})

describe('the names in its certificate', () => {
  const box = '[DEFAULT]\nhost = box\nmy_ip = 192.168.50.1\n'

  it('are those of the box, of this machine itself, of guests, and what is configured', async () => {
    const settings = await settingsOf(`${box}[registry]\nhost_ip = 192.168.60.1\ntls_names = box.example, 10.1.1.1`)

    assert.deepEqual(namesOf(settings), [
      'box',
      '192.168.50.1',
      '192.168.60.1',
      'localhost',
      '127.0.0.1',
      '::1',
      '10.0.2.100',
      'box.example',
      '10.1.1.1',
    ])
  })

  it('are without an address that means all, and a name that is none', async () => {
    const settings = await settingsOf('[DEFAULT]\nhost = my box\nmy_ip = 127.0.0.1\n[registry]\nhost_ip = 0.0.0.0')

    assert.deepEqual(namesOf(settings), ['127.0.0.1', 'localhost', '::1', '10.0.2.100'])
  })
})
