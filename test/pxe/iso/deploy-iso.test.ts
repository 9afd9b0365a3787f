/** The ISO that a BMC shows its machine, by GRUB's and xorriso's own programs. */
import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createDeployIsos, type DeployIso } from '../../../pxe/iso/deploy-iso.ts'
import { overlaid } from '../../../pxe/iso/overlaid.ts'
import { run } from '../../rack/run-program.ts'

const KERNEL = Buffer.alloc(3000, 'K')
const RAMDISK = {
  kernel: 'vmlinuz',
  core: ['base.cpio', 'agent.cpio'],
  layers: { podman: 'podman.cpio' },
  digest: 'sha256:1',
  kernel_params: 'console=ttyS0,115200n8',
}

describe('an ISO of the deploy ramdisk', () => {
  let folder: string
  let isos: ReturnType<typeof createDeployIsos>
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'deploy-iso-'))
    await writeFile(join(folder, 'ramdisk.json'), JSON.stringify(RAMDISK))
    await writeFile(join(folder, 'vmlinuz'), KERNEL)
    for (const name of ['base', 'agent', 'podman'])
      await writeFile(join(folder, `${name}.cpio`), `${name} of the ramdisk`)
    isos = createDeployIsos({ ramdisk_path: folder, state_path: folder })
  })
  after(() => rm(folder, { recursive: true }))

  const boot = {
    kind: 'agent',
    node: 'N',
    name: 'n1',
    layers: ['podman'],
    parameters: [['ipa-api-url', 'http://a/~1']],
  } as const

  /** As a BMC gets it. */
  async function written({ path, size_bytes, overlays }: DeployIso, name: string): Promise<string> {
    await using file = await open(path)
    const bytes = Buffer.alloc(size_bytes)
    await overlaid(file, overlays).read(bytes, 0, size_bytes, 0)
    const whole = join(folder, name)
    await writeFile(whole, bytes)
    return whole
  }
  const fileIn = async (iso: string, path: string) => {
    const out = join(folder, 'out')
    await run('xorriso', ['-osirrox', 'on', '-indev', iso, '-extract', path, out])
    await using file = await open(out)
    const bytes = await file.readFile()
    await rm(out, { force: true })
    return bytes
  }

  it('boots by BIOS and by UEFI, and holds the kernel, the ramdisk with its layers, and the parameters of one boot', async () => {
    const iso = await written(await isos.of(boot), 'one.iso')

    const told = await run('xorriso', ['-indev', iso, '-report_el_torito', 'plain'])
    assert.match(told, /El Torito boot img :\s+1\s+BIOS\s+y/)
    assert.match(told, /El Torito boot img :\s+2\s+UEFI\s+y/)
    assert.equal(
      (await fileIn(iso, '/rackstrap/boot.cfg')).toString().trimEnd(),
      [
        'echo "Rackstrap: this machine boots the deploy ramdisk from virtual media."',
        "linux /rackstrap/kernel 'console=ttyS0,115200n8' 'ipa-api-url=http://a/~1'",
        'initrd /rackstrap/ramdisk-1 /rackstrap/ramdisk-2 /rackstrap/ramdisk-3',
        'boot',
      ].join('\n'),
    )
    assert.deepEqual(await fileIn(iso, '/rackstrap/kernel'), KERNEL)
    assert.equal((await fileIn(iso, '/rackstrap/ramdisk-3')).toString(), 'podman of the ramdisk')
  })

  it('is made once for all machines with the same layers: what is of one machine is laid over it', async () => {
    const one = await isos.of(boot)
    const other = await isos.of({ ...boot, files: [{ path: '/etc/secret', content: 'of this machine' }] })

    assert.equal(one.path, other.path)
    assert.notEqual(one.etag, other.etag)
    assert.equal((await readdir(join(folder, 'deploy-iso'))).filter((name) => name.endsWith('.iso')).length, 1)
    const iso = await written(other, 'other.iso')
    assert.match((await fileIn(iso, '/rackstrap/boot.cfg')).toString(), /^initrd .* \/rackstrap\/machine$/m)
    // gzip
    assert.deepEqual((await fileIn(iso, '/rackstrap/machine')).subarray(0, 2), Buffer.from('1f8b', 'hex'))
  })

  it('takes a parameter as it stands, and refuses what no kernel can be told', async () => {
    const words = await isos.of({ ...boot, parameters: [['x', '$a; b=c']] })
    assert.match((await fileIn(await written(words, 'words.iso'), '/rackstrap/boot.cfg')).toString(), / 'x=\$a; b=c'\n/)

    await assert.rejects(isos.of({ ...boot, parameters: [['x', "it's"]] }), {
      name: 'PxeError',
      message: /a backslash or a single quote/,
    })
  })
})
