/** The steps of SECURITY.md, and what `rackstrap doctor` says of configurations. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { STEPS } from '../../../../appliance/serve/hardening/steps.ts'
import { settingsOf } from '../settings.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../../../SECURITY.md'), 'utf8')

async function look(name: string, ini: string) {
  const step = STEPS.find((one) => one.name === name)
  assert.ok(step, name)
  return step.look(await settingsOf(ini))
}

describe('the steps of hardening', () => {
  it('are those of SECURITY.md, in its order', () => {
    const headings = [...PAGE.matchAll(/^### (\d+)\. (.*)$/gm)].map(([, number, name]) => `${number}. ${name}`)

    assert.deepEqual(
      STEPS.map(({ name }, index) => `${index + 1}. ${name}`),
      headings,
    )
  })

  for (const [name, ini, state, found] of [
    ['The API knows who asks', '', 'taken', /127\.0\.0\.1 and its unix socket alone/],
    [
      'The API knows who asks',
      '[api]\nhost_ip = 192.0.2.1\nallow_open = True',
      'open',
      /^whoever reaches 192\.0\.2\.1/,
    ],
    [
      'The API knows who asks',
      '[DEFAULT]\nauth_strategy = http_basic\n[api]\nhost_ip = 192.0.2.1',
      'taken',
      /http_basic/,
    ],
    ['Nobody reads along', '', 'taken', /127\.0\.0\.1/],
    ['Nobody reads along', '[DEFAULT]\nauth_strategy = http_basic\n[api]\nhost_ip = 192.0.2.1', 'open', /plain http/],
    [
      'Nobody reads along',
      '[DEFAULT]\nauth_strategy = http_basic\n[api]\nhost_ip = 192.0.2.1\nenable_ssl_api = True',
      'taken',
      /https/,
    ],
    ['Agents speak TLS', '', 'taken', /refused/],
    ['Agents speak TLS', '[agent]\nrequire_tls = False', 'open', /require_tls is off/],
    ['Agents speak TLS', '[agent]\nverify_ca = False', 'open', /verify_ca is off/],
    [
      'Only the machine that was started is answered',
      '[api]\nrestrict_lookup = False\ncheck_boot_number = True\ncheck_machine_address = True',
      'open',
      /^off: \[api\] restrict_lookup$/,
    ],
    [
      'Only the machine that was started is answered',
      '[api]\ncheck_boot_number = True\ncheck_machine_address = True',
      'taken',
      /number of its boot/,
    ],
    ['No md5 for images', '', 'open', /md5 checksums are accepted/],
    ['No md5 for images', '[agent]\nallow_md5_checksum = False', 'taken', /refused/],
    ['The box asks only where it must', '', 'taken', /no address/],
    ['The box asks only where it must', '[DEFAULT]\nreachable_networks = 0.0.0.0/0', 'open', /0\.0\.0\.0\/0/],
    ['The box asks only where it must', '[DEFAULT]\nreachable_networks = 192.0.2.7', 'taken', /192\.0\.2\.7/],
    ['The registry knows who pushes', '', 'taken', /enabled is off/],
    ['The registry knows who pushes', '[registry]\nenabled = True\nhost_ip = 192.0.2.1', 'open', /no users/],
    [
      'The registry knows who pushes',
      '[registry]\nenabled = True\nhost_ip = 192.0.2.1\ntls = off',
      'open',
      /tls is off/,
    ],
    [
      'The registry knows who pushes',
      '[registry]\nenabled = True\nhost_ip = 192.0.2.1\n[upstream:q.example]\nurl = https://q.example\nusername = a\npassword = b\npublic = True',
      'open',
      /credentials of \[upstream:q\.example\]/,
    ],
    ['The registry knows who pushes', '[registry]\nenabled = True\nhost_ip = 127.0.0.1', 'taken', /127\.0\.0\.1 alone/],
  ] as const) {
    it(`"${name}" is ${state} with ${JSON.stringify(ini.replaceAll('\n', ' '))}`, async () => {
      const finding = await look(name, ini)

      assert.equal(finding.state, state)
      assert.match(finding.found, found)
    })
  }
})
