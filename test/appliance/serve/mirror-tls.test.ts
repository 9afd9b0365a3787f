/** By which certificate the registry mirror is reached, and under which names. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openAuthority } from '../../../appliance/ca/authority.ts'
import { hostOf, namesOf, tlsOf } from '../../../appliance/serve/mirror-tls.ts'
import { settingsOf } from './settings.ts'

const isMissing = !existsSync('/usr/bin/openssl') && 'openssl is not installed'

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

describe('what machines call the registry', () => {
  it('is its address, or that of the box on the rack, when it listens on all', async () => {
    const box = '[DEFAULT]\nmy_ip = 192.168.50.1\n[registry]\nhost_ip = '

    assert.equal(hostOf(await settingsOf(`${box}192.168.60.1`), undefined), '192.168.60.1')
    assert.equal(hostOf(await settingsOf(`${box}0.0.0.0`), undefined), '192.168.50.1')
  })

  it('is a name when its certificate is good for that alone', { skip: isMissing }, async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'rackstrap-names-'))
    const settings = await settingsOf('[registry]\nhost_ip = 192.168.50.1')
    const from = new Date()
    const until = new Date(from.getTime() + 3600_000)
    const authority = await openAuthority(join(folder.path, 'ca'), from)
    const hostFor = async (...names: string[]) => {
      const path = join(folder.path, 'certificate')
      writeFileSync(path, await authority.issue(names, { from, until }))
      return hostOf(settings, path)
    }

    assert.equal(await hostFor('*.example', 'box.example'), 'box.example')
    assert.equal(await hostFor('box.example', '192.168.50.1'), '192.168.50.1')
    assert.equal(await hostFor('*.example'), '192.168.50.1')
  })
})
