/** NVMe disks that erase themselves. What nvme-cli prints is as version 2.13 does (nvme-print-json.c). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { erase } from '../commands/erasing.ts'
import { type FakeMachine, MIB, makeMachine } from '../fake-machine.ts'

const SIZE = 16 * MIB
const DISK = 'nvme0n1'

type Controller = {
  oacs?: number
  fna?: number
  sanicap?: number
  /** The shell's words of a format and a sanitize; `$1` is the command, `$2` the disk. */
  format?: string
  sanitize?: string
  /** In order; the last one stays. */
  log?: readonly string[]
}

const zeroes = 'truncate -s 0 "$2"; truncate -s 16M "$2"'
const STATUS = {
  running: '(2) Sanitize in Progress.',
  done: '(1) Most Recent Sanitize Command Completed Successfully.',
  failed: '(3) Most Recent Sanitize Command Failed.',
}
const logOf = (status: string) =>
  JSON.stringify({
    nvme0n1: { sprog: 65535, sstat: { global_erased: 0, no_cmplted_passes: 0, status }, cdw10_info: 2 },
  })

async function machineWith(
  { oacs = 0x12, fna = 0, sanicap = 0, format = zeroes, sanitize = zeroes, log = [STATUS.done] }: Controller,
  names: readonly string[] = [DISK],
): Promise<FakeMachine> {
  const identified = JSON.stringify({ vid: 6966, sn: 'S1', mn: 'QEMU NVMe Ctrl', oacs, fna, sanicap, nn: 256 })
  const nvme = `
case "$1" in
id-ctrl) echo '${identified}' ;;
id-ns) echo '{"nsze":32768,"flbas":4,"mc":0}' ;;
format) ${format} ;;
sanitize) ${sanitize} ;;
sanitize-log)
  turn=$(dirname "$0")/turn; echo >>"$turn"
  sed -n "$(wc -l <"$turn")p;\\$p" <<'LOG' | head -n 1
${log.map(logOf).join('\n')}
LOG
  ;;
esac`
  const machine = await makeMachine({
    disks: names.map((name) => ({ name, size_bytes: SIZE })),
    programs: { nvme, blkdiscard: 'exit 1' },
  })
  for (const name of names) await machine.fill(name, 0xaa, [[0, SIZE]])
  return machine
}

const callsOf = async (machine: FakeMachine) =>
  (await machine.calls())
    .filter((call) => call.startsWith('nvme'))
    .map((call) => call.replaceAll(`${machine.root}/dev/`, ''))
const isOverwritten = async (machine: FakeMachine) => (await machine.console()).includes('Overwriting /dev/nvme0n1')

describe('an NVMe disk', () => {
  for (const [what, fna, ses, words] of [
    ['cryptographically where it can throw its key away', 4, 2, 'cryptographic erase'],
    ['as a whole where it cannot', 0, 1, 'user data erase'],
  ] as const)
    it(`is erased by format, ${what}, and read back`, async () => {
      await using machine = await machineWith({ fna })

      const told = await erase(machine, 'erase_devices')

      assert.deepEqual(await callsOf(machine), [
        'nvme id-ctrl nvme0n1 --output-format=json',
        `nvme format nvme0n1 --ses=${ses} --force --timeout=14400000`,
      ])
      assert.match(
        await machine.console(),
        new RegExp(`Erased /dev/nvme0n1 by NVMe format \\(${words}\\); 64 places of it were read back`),
      )
      assert.equal(told.at(-1)?.done, SIZE)
      assert.ok((await machine.calls()).some((call) => call.startsWith('blockdev --flushbufs')))
      assert.ok(!(await isOverwritten(machine)))
    })

  it('keeps its size of sectors where its controller formats all at once', async () => {
    await using machine = await machineWith({ fna: 1 })

    await erase(machine, 'erase_devices')

    assert.ok((await callsOf(machine)).includes('nvme format nvme0n1 --ses=1 --force --lbaf=4 --timeout=14400000'))
  })

  it('is erased by sanitize where it knows no format, and waited for', async () => {
    await using machine = await machineWith({ oacs: 0, sanicap: 2, log: [STATUS.running, STATUS.running, STATUS.done] })

    await erase(machine, 'erase_devices')

    assert.deepEqual((await callsOf(machine)).slice(1), [
      'nvme sanitize nvme0n1 --sanact=2',
      ...Array.from({ length: 3 }, () => 'nvme sanitize-log nvme0n1 --output-format=json'),
    ])
    assert.match(await machine.console(), /Erased \/dev\/nvme0n1 by NVMe sanitize \(block erase\); 64 places/)
  })

  const REFUSED =
    'Failed to erase the device(s): "/dev/nvme0n1": Failed to invoke secure erase, fallback to shred is not enabled: '
  const HOW = '. Set [deploy] continue_if_disk_secure_erase_fails to have it overwritten instead'
  const failures: [string, Controller, why: string][] = [
    ['knows neither', { oacs: 0 }, '/dev/nvme0n1 knows no NVMe format, and no sanitize that erases'],
    [
      'says that it is erased, and still holds data',
      { format: ':' },
      'NVMe format (user data erase) of /dev/nvme0n1 has ended, but it still holds data at 0.0 GiB',
    ],
    [
      'fails in a sanitize',
      { oacs: 0, sanicap: 1, log: [STATUS.failed] },
      'nvme sanitize: the disk says "(3) Most Recent Sanitize Command Failed."',
    ],
  ]
  for (const [what, controller, why] of failures) {
    it(`that ${what} is not erased`, async () => {
      await using machine = await machineWith(controller)

      await assert.rejects(erase(machine, 'erase_devices'), { details: `${REFUSED}${why}${HOW}` })
    })

    it(`that ${what} is overwritten when the appliance says so`, async () => {
      await using machine = await machineWith(controller)

      await erase(machine, 'erase_devices', {}, { agent_continue_if_secure_erase_failed: true })

      assert.ok((await machine.console()).includes(`Overwriting /dev/nvme0n1 with zeros: ${why}`))
      assert.ok((await machine.read(DISK, 0, SIZE)).equals(Buffer.alloc(SIZE)))
    })
  }

  it('whose format fails is sanitized', async () => {
    await using machine = await machineWith({
      format: 'echo "NVMe status: Invalid Format(0x10a)" >&2; exit 1',
      sanicap: 3,
    })

    await erase(machine, 'erase_devices')

    assert.match(
      await machine.console(),
      /NVMe status: Invalid Format\(0x10a\); trying NVMe sanitize \(cryptographic erase\)/,
    )
  })

  for (const [what, controller] of [
    ['a format of all', { fna: 2 }],
    ['a sanitize', { oacs: 0, sanicap: 2 }],
  ] as const)
    it(`does not lose what the node keeps from it on another namespace to ${what}`, async () => {
      await using machine = await machineWith(controller, [DISK, 'nvme0n2'])

      const skip = { skip_block_devices: [{ name: '/dev/nvme0n2' }] }
      await assert.rejects(erase(machine, 'erase_devices', skip), {
        details: /would erase \/dev\/nvme0n2 as well, which is to be kept/,
      })

      assert.ok((await machine.read('nvme0n2', 0, SIZE)).equals(Buffer.alloc(SIZE, 0xaa)))
    })

  it('waits for the other namespaces of its controller, however many disks are erased at once', async () => {
    await using machine = await machineWith({}, [DISK, 'nvme0n2'])

    await erase(machine, 'erase_devices', {}, { disk_erasure_concurrency: 8 })

    assert.deepEqual(
      (await callsOf(machine)).map((call) => call.split(' ').slice(1, 3)),
      ['nvme0n1', 'nvme0n2'].flatMap((name) => [
        ['id-ctrl', name],
        ['format', name],
      ]),
    )
  })

  it('is overwritten where [deploy] enable_nvme_secure_erase is False, or the ramdisk has no nvme-cli', async () => {
    await using machine = await machineWith({})
    await erase(machine, 'erase_devices', {}, { agent_enable_nvme_secure_erase: false })
    await using old = await makeMachine({
      disks: [{ name: DISK, size_bytes: SIZE }],
      programs: { blkdiscard: 'exit 1' },
    })
    await erase(old, 'erase_devices')

    assert.deepEqual([await callsOf(machine), await isOverwritten(machine)], [[], true])
    assert.match(
      await old.console(),
      /\/dev\/nvme0n1: no secure erase, as this ramdisk has no nvme\. Build it again: rackstrap ramdisk build/,
    )
    assert.ok(await isOverwritten(old))
  })

  it('that lies about what it can is not believed', async () => {
    for (const told of ['{"oacs":"all","fna":{},"sanicap":-1.5}', '[]', 'null', 'nonsense', '{']) {
      await using machine = await makeMachine({
        disks: [{ name: DISK, size_bytes: SIZE }],
        programs: { nvme: `echo '${told}'`, blkdiscard: 'exit 1' },
      })

      await assert.rejects(erase(machine, 'erase_devices'), { kind: 'BlockDeviceEraseError' }, told)
    }
  })
})

describe('erase_devices_express', () => {
  it('erases NVMe disks by format, and is content with the metadata where that fails', async () => {
    await using machine = await machineWith({})
    await using broken = await machineWith({ format: 'exit 1' })

    await erase(machine, 'erase_devices_express')
    await erase(broken, 'erase_devices_express')

    assert.ok((await machine.read(DISK, 0, SIZE)).equals(Buffer.alloc(SIZE)))
    assert.ok((await broken.read(DISK, 0, 4 * MIB)).equals(Buffer.alloc(4 * MIB)))
    assert.match(await broken.console(), /No secure erase of \/dev\/nvme0n1: nvme format .* ended with code 1/)
  })
})
