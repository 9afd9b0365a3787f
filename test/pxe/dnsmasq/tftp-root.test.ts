import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fillTftpRoot, isOpenToAll } from '../../../pxe/dnsmasq/tftp-root.ts'
import { exampleConfig } from '../example-config.ts'
import { temporaryFolder } from '../temporary-folder.ts'

async function filled(t: TestContext) {
  const folder = await temporaryFolder(t)
  const config = exampleConfig(folder)
  await mkdir(config.ipxe_path)
  for (const name of ['undionly.kpxe', 'snponly.efi', 'ipxe.efi', 'ipxe.iso']) {
    await writeFile(join(config.ipxe_path, name), name)
  }
  await fillTftpRoot(config)
  return { folder, config }
}

describe('folder of TFTP', () => {
  it("holds iPXE's boot files for BIOS and UEFI, and nothing else of the package", async (t) => {
    const { config } = await filled(t)

    assert.deepEqual((await readdir(config.tftp_root)).sort(), ['ipxe.efi', 'snponly.efi', 'undionly.kpxe'])
    assert.equal(await readFile(join(config.tftp_root, 'ipxe.efi'), 'utf8'), 'ipxe.efi')
  })

  it('is written again only where iPXE has changed', async (t) => {
    const { config } = await filled(t)
    const before = await stat(join(config.tftp_root, 'snponly.efi'))
    await writeFile(join(config.ipxe_path, 'undionly.kpxe'), 'newer')

    await fillTftpRoot(config)

    assert.equal(await readFile(join(config.tftp_root, 'undionly.kpxe'), 'utf8'), 'newer')
    assert.equal((await stat(join(config.tftp_root, 'snponly.efi'))).ino, before.ino)
  })

  it('takes no boot file from another folder', async (t) => {
    const { config } = await filled(t)

    await assert.rejects(fillTftpRoot({ ...config, ipxe_bootfile_name: '../dnsmasq/leases' }), {
      name: 'PxeError',
      message: '[pxe] ipxe_bootfile_name is "../dnsmasq/leases": give the name of a file, without folders.',
    })
  })

  it('is named when it cannot be written', async (t) => {
    const { folder, config } = await filled(t)
    await writeFile(join(folder, 'file'), '')

    await assert.rejects(fillTftpRoot({ ...config, tftp_root: join(folder, 'file') }), {
      name: 'PxeError',
      message: `[pxe] tftp_root: ${folder}/file/undionly.kpxe cannot be written (EEXIST).`,
    })
  })

  it('is open to all only if every folder on the way and every boot file is', async (t) => {
    const { folder, config } = await filled(t)
    await chmod(config.tftp_root, 0o755)
    for (const name of await readdir(config.tftp_root)) await chmod(join(config.tftp_root, name), 0o644)

    assert.equal(await isOpenToAll(config), false, 'temporary folders are closed')
    await chmod(folder, 0o711)
    assert.equal(await isOpenToAll(config), true)
    await chmod(join(config.tftp_root, 'snponly.efi'), 0o640)
    assert.equal(await isOpenToAll(config), false)
    await chmod(join(config.tftp_root, 'snponly.efi'), 0o644)
    await chmod(config.tftp_root, 0o711)
    assert.equal(await isOpenToAll(config), false)
  })
})
