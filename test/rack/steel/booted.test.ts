/** Which machines may go on from a memory that was kept: those that would boot the very same, and no others. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { BootedMachines } from './booted.ts'

const MACHINE = {
  ...{ name: 'rack-1', mac: '52:54:00:22:00:01', firmware: 'bios', memory_mib: 1024, disk_bytes: 4096 },
  ...{ tap: 'machine1', enter: [], console: '/nowhere' },
}
const script = (...lines: string[]) =>
  [
    '#!ipxe',
    'set verdict agent',
    'echo Rackstrap: rack-1 boots the deploy ramdisk.',
    ':fetch',
    'kernel --timeout 60000 --name vmlinuz-1 http://172.22.0.1:8080/boot/files/vmlinuz-1 ipa-api-url=http://172.22.0.1:6385 || goto retry',
    'initrd --timeout 60000 --name base-1 http://172.22.0.1:8080/boot/files/base-1 || goto retry',
    ...lines,
  ].join('\n')

describe('the memory of a machine that has booted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-booted-'))
  after(() => rm(folder, { recursive: true }))
  const fileFor = async (text: string | Error, machine: Partial<typeof MACHINE> = {}) => {
    const scriptFor = async () => (typeof text === 'string' ? text : Promise.reject(text))
    const memory = await new BootedMachines({ folder, scriptFor }).memoryFor({ ...MACHINE, ...machine })
    return memory?.file
  }

  it('is found by a machine of its kind that is to boot the same, for whichever node', async () => {
    const file = await fileFor(script())
    assert.ok(file)
    await writeFile(file, 'memory')

    const again = script().replace('rack-1 boots', 'another node boots')
    const memory = await new BootedMachines({ folder, scriptFor: async () => again }).memoryFor({
      ...MACHINE,
      ...{ name: 'rack-9', tap: 'machine9', console: '/elsewhere' },
    })

    assert.deepEqual(memory, { file, isKept: true })
  })

  it('is not that of another ramdisk, layer, parameter, machine, firmware or disk', async () => {
    const files = [
      await fileFor(script()),
      await fileFor(script().replaceAll('base-1', 'base-2')),
      await fileFor(script('initrd --name podman http://172.22.0.1:8080/boot/files/podman || goto retry')),
      await fileFor(script().replace('ipa-api-url', 'ipa-debug=1 ipa-api-url')),
      await fileFor(script(), { mac: '52:54:00:22:00:02' }),
      await fileFor(script(), { firmware: 'uefi' }),
      await fileFor(script(), { memory_mib: 512 }),
      await fileFor(script(), { disk_bytes: 8192 }),
    ]

    assert.equal(new Set(files).size, 8)
    assert.ok(!files.includes(undefined))
  })

  it('is for nobody who boots his disk, has files of his own, or gets no answer', async () => {
    const own = 'initrd --name own http://172.22.0.1:8080/boot/52-54-00-22-00-01.cpio || goto retry'

    assert.equal(await fileFor('#!ipxe\nset verdict disk\nsanboot --no-describe --drive 0x80 ||\n'), undefined)
    assert.equal(await fileFor(script(own)), undefined)
    assert.equal(await fileFor(new Error('it does not answer')), undefined)
  })
})
