/** What `rackstrap doctor` sees of a box. Files stand for /proc and /sys. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deviceOf, forwardingStep, isEncrypted, unitStep } from '../../../../appliance/serve/hardening/box.ts'
import { settingsOf } from '../settings.ts'

const UNIT = join(import.meta.dirname, '../../../../systemd/rackstrap.service')
const settings = await settingsOf('')

function folderWith(test: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'rackstrap-box-'))
  test.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

describe('the step about the unit', () => {
  const look = (test: TestContext, unit: string) =>
    unitStep(join(folderWith(test, { 'rackstrap.service': unit }), 'rackstrap.service')).look(settings)

  it('is taken with the unit of this version, wherever Rackstrap is installed', async (test) => {
    const unit = readFileSync(UNIT, 'utf8').replaceAll('/opt/rackstrap', '/srv/rackstrap')

    assert.equal((await look(test, unit)).state, 'taken')
  })

  it('names what an older unit lacks', async (test) => {
    const unit = readFileSync(UNIT, 'utf8').replace('NoNewPrivileges=yes\n', '').replace('UMask=0027', 'UMask=0000')

    const { state, found } = await look(test, unit)

    assert.equal(state, 'open')
    assert.match(found, /rackstrap\.service lacks UMask=0027, NoNewPrivileges=yes$/)
  })

  it('is open without a unit', async () => {
    assert.equal((await unitStep('/nonexistent/rackstrap.service').look(settings)).state, 'open')
  })
})

describe('the step about forwarding', () => {
  for (const [ipv4, ipv6, state] of [
    ['0', '0', 'taken'],
    ['1', '0', 'open'],
    ['0', '1', 'open'],
  ] as const) {
    it(`is ${state} with ip_forward ${ipv4}, and ${ipv6} for IPv6`, async (test) => {
      const proc = folderWith(test, {
        'sys/net/ipv4/ip_forward': `${ipv4}\n`,
        'sys/net/ipv6/conf/all/forwarding': `${ipv6}\n`,
      })

      assert.equal((await forwardingStep(proc).look(settings)).state, state)
    })
  }
})

describe('a block device', () => {
  it('has the number that the kernel gives it, also beyond 255', () => {
    assert.deepEqual([0xfe00, 0x10301, 0x100_1205].map(deviceOf), ['254:0', '259:1', '18:4101'])
  })

  it('is encrypted when all below it is: a volume on a LUKS partition', async (test) => {
    const folder = folderWith(test, { 'dm-1/dm/uuid': 'LVM-x\n', 'dm-0/dm/uuid': 'CRYPT-LUKS2-x\n' })
    mkdirSync(join(folder, 'dm-1/slaves'))
    symlinkSync('../../dm-0', join(folder, 'dm-1/slaves/dm-0'))

    assert.equal(await isEncrypted(join(folder, 'dm-1')), true)
  })

  it('is not when a part of it is a plain partition', async (test) => {
    const folder = folderWith(test, {
      'dm-1/dm/uuid': 'LVM-x\n',
      'dm-0/dm/uuid': 'CRYPT-LUKS2-x\n',
      'sda1/partition': '1\n',
    })
    mkdirSync(join(folder, 'dm-1/slaves'))
    for (const name of ['dm-0', 'sda1']) symlinkSync(`../../${name}`, join(folder, 'dm-1/slaves', name))

    assert.equal(await isEncrypted(join(folder, 'dm-1')), false)
  })

  it('is not known when the kernel lists none', async () => {
    assert.equal(await isEncrypted('/nonexistent/0:40'), undefined)
  })
})
