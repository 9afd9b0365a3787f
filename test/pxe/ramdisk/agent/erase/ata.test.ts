/** ATA disks that erase themselves. What hdparm prints is as version 9.65 does (identify.c); the disk is a script. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseSecurity } from '../../../../../pxe/ramdisk/agent/erase/ata.ts'
import { erase } from '../commands/erasing.ts'
import { type FakeMachine, MIB, makeMachine } from '../fake-machine.ts'

const SIZE = 16 * MIB

const identified = (security: string) => `
/dev/sda:

ATA device, with non-removable media
\tModel Number:       INTEL SSDSC2BB480G4
Standards:
\tSupported: 9 8 7 6 5
Commands/features:
\tEnabled\tSupported:
\t   *\tSMART feature set
\t    \tSecurity Mode feature set
Security: 
\tMaster password revision code = 65534
${security}Logical Unit WWN Device Identifier: 55cd2e404b6b7a33
Checksum: correct
`
const words = ({ supported = true, enabled = false, locked = false, frozen = false, enhanced = true }) =>
  [
    `\t${supported ? '' : 'not'}\tsupported`,
    `\t${enabled ? '' : 'not'}\tenabled`,
    `\t${locked ? '' : 'not'}\tlocked`,
    `\t${frozen ? '' : 'not'}\tfrozen`,
    '\tnot\texpired: security count',
    `\t${enhanced ? '' : 'not'}\tsupported: enhanced erase`,
    '\t2min for SECURITY ERASE UNIT. 2min for ENHANCED SECURITY ERASE UNIT.\n',
  ].join('\n')

/** Of a SATA SSD and a laptop's disk, as their owners have published it. */
const RECORDED = `\tNCQ priority information
\t   *\tDeterministic read ZEROs after TRIM
Security: 
\tMaster password revision code = 65534
\t\tsupported
\tnot\tenabled
\tnot\tlocked
\tnot\tfrozen
\tnot\texpired: security count
\t\tsupported: enhanced erase
\t2min for SECURITY ERASE UNIT. 2min for ENHANCED SECURITY ERASE UNIT.
Logical Unit WWN Device Identifier: 5001b448bbc61f38
`
const RECORDED_FROZEN = `Security: 
\tMaster password revision code = 65534
\t\tsupported
\tnot\tenabled
\tnot\tlocked
\t\tfrozen
\tnot\texpired: security count
\tnot\tsupported: enhanced erase
HW reset results:
\tCBLID- above Vih
`

describe('what hdparm says of security', () => {
  it('is understood as real disks have it', () => {
    const ready = { supported: true, enabled: false, locked: false, frozen: false, enhanced: true }

    assert.deepEqual(parseSecurity(RECORDED), ready)
    assert.deepEqual(parseSecurity(RECORDED.replace('Security: ', 'Security:')), ready)
    assert.deepEqual(parseSecurity(`\n${RECORDED_FROZEN}`), { ...ready, frozen: true, enhanced: false })
  })

  it('is read word by word', () => {
    const fresh = { supported: true, enabled: false, locked: false, frozen: false, enhanced: true }

    assert.deepEqual(parseSecurity(identified(words({}))), fresh)
    assert.deepEqual(parseSecurity(identified(words({ frozen: true, enhanced: false }))), {
      ...fresh,
      frozen: true,
      enhanced: false,
    })
    assert.deepEqual(parseSecurity(identified(words({ enabled: true, locked: true }))), {
      ...fresh,
      enabled: true,
      locked: true,
    })
    assert.equal(parseSecurity(identified(words({ supported: false }))).supported, false)
    assert.equal(parseSecurity('/dev/sda:\n\nATA device, with non-removable media\n').supported, false)
  })
})

type Disk = Parameters<typeof words>[0] & { erases?: string; password?: string }

/** With a state: what it says after an erasing, and after it was unlocked. */
async function machineWith(
  { erases = 'good', password = 'NULL', ...security }: Disk,
  smartctl?: string,
): Promise<FakeMachine> {
  const hdparm = `
state=$(dirname "$0")/ata
for last; do :; done
case "$*" in
-I*) cat "$state" ;;
*--security-unlock*) [ "$4" = "${password}" ] && sed -i 's/^\\t\\tlocked/\\tnot\\tlocked/' "$state" ;;
*--security-set-pass*) sed -i 's/^\\tnot\\tenabled/\\t\\tenabled/' "$state" ;;
*--security-disable*) sed -i 's/^\\t\\tenabled/\\tnot\\tenabled/' "$state" ;;
*--security-erase*)
  case ${erases} in
  good) truncate -s 0 "$last"; truncate -s 16M "$last"; sed -i 's/^\\t\\tenabled/\\tnot\\tenabled/' "$state" ;;
  lying) sed -i 's/^\\t\\tenabled/\\tnot\\tenabled/' "$state" ;;
  stuck) ;;
  failing) echo "SG_IO: bad/missing sense data" >&2; exit 5 ;;
  esac ;;
esac`
  const machine = await makeMachine({
    disks: [{ name: 'sda', size_bytes: SIZE, bus: 'sata' }],
    programs: { hdparm, blkdiscard: 'exit 1', ...(smartctl === undefined ? {} : { smartctl }) },
  })
  await writeFile(join(machine.root, 'usr/bin/ata'), identified(words(security)))
  await machine.fill('sda', 0xaa, [[0, SIZE]])
  return machine
}

const callsOf = async (machine: FakeMachine) =>
  (await machine.calls())
    .filter((call) => /^(hdparm|smartctl) /.test(call))
    .map((call) => call.replaceAll(machine.disk('sda'), 'sda'))

describe('an ATA disk', () => {
  it('is erased by its enhanced secure erase, and read back', async () => {
    await using machine = await machineWith({}, 'echo "ATA Security is:  Disabled, NOT FROZEN [SEC1]"')

    await erase(machine, 'erase_devices')

    assert.deepEqual(await callsOf(machine), [
      'hdparm -I sda',
      'smartctl -d ata sda -g security',
      'hdparm --user-master u --security-set-pass NULL sda',
      'hdparm --user-master u --security-erase-enhanced NULL sda',
      'hdparm -I sda',
    ])
    assert.match(
      await machine.console(),
      /Erased \/dev\/sda by ATA secure erase \(enhanced\); 64 places of it were read back/,
    )
  })

  it('is erased by the plain one where it knows no other', async () => {
    await using machine = await machineWith({ enhanced: false })

    await erase(machine, 'erase_devices')

    assert.ok((await callsOf(machine)).includes('hdparm --user-master u --security-erase NULL sda'))
    assert.match(await machine.console(), /Erased \/dev\/sda by ATA secure erase; 64 places/)
  })

  for (const password of ['NULL', ''])
    it(`that an erasing broken off has locked with "${password}" is unlocked and erased`, async () => {
      await using machine = await machineWith({ enabled: true, locked: true, password })

      await erase(machine, 'erase_devices')

      assert.match(await machine.console(), /Erased \/dev\/sda by ATA secure erase/)
      assert.ok(!(await callsOf(machine)).some((call) => call.includes('--security-set-pass')))
    })

  const BEGIN =
    'Failed to erase the device(s): "/dev/sda": Failed to invoke secure erase, fallback to shred is not enabled: '
  const failures: [string, Disk, why: string | RegExp][] = [
    [
      'is frozen',
      { frozen: true },
      'Block device /dev/sda is frozen and cannot be erased: the firmware has closed its security until its power was off',
    ],
    [
      'somebody has locked',
      { enabled: true, locked: true, password: 'geheim' },
      'Block device /dev/sda already has a security password set',
    ],
    [
      'says that it is erased, and still holds data',
      { erases: 'lying' },
      'ATA secure erase (enhanced) of /dev/sda has ended, but it still holds data at 0.0 GiB',
    ],
    [
      'keeps its password',
      { erases: 'stuck' },
      'An unknown error occurred erasing block device /dev/sda: its security password is still set',
    ],
  ]
  for (const [what, disk, why] of failures)
    it(`that ${what} is not erased, but for an overwriting that the appliance asks for`, async () => {
      await using machine = await machineWith(disk)

      await assert.rejects(erase(machine, 'erase_devices'), {
        details: `${BEGIN}${why}. Set [deploy] continue_if_disk_secure_erase_fails to have it overwritten instead`,
      })
      await erase(machine, 'erase_devices', {}, { agent_continue_if_ata_erase_failed: true })

      assert.ok((await machine.read('sda', 0, SIZE)).equals(Buffer.alloc(SIZE)))
    })

  it('that fails is not left with our password on it', async () => {
    await using machine = await machineWith({ erases: 'failing' })

    await assert.rejects(erase(machine, 'erase_devices'), {
      details: /Erase failed for device \/dev\/sda: .*bad\/missing sense data/,
    })

    assert.deepEqual((await callsOf(machine)).at(-1), 'hdparm --user-master u --security-disable NULL sda')
  })

  for (const [what, disk, smartctl] of [
    ['knows no secure erase', { supported: false }, undefined],
    ['a bridge keeps from ATA commands', {}, 'exit 2'],
    ['has no such thing behind its bridge', {}, 'echo "ATA Security is:  Unavailable"'],
  ] as const)
    it(`that ${what} is overwritten`, async () => {
      await using machine = await machineWith(disk, smartctl)

      await erase(machine, 'erase_devices')

      assert.match(await machine.console(), /Overwriting \/dev\/sda with zeros: it knows no secure discard/)
    })

  it('is overwritten where [deploy] enable_ata_secure_erase is False', async () => {
    await using machine = await machineWith({})

    await erase(machine, 'erase_devices', {}, { agent_enable_ata_secure_erase: false })

    assert.deepEqual(await callsOf(machine), [])
  })
})
