/** Files of one machine in a tenant's tree. */
import assert from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  deployedFiles,
  deploymentOf,
  writeFiles,
} from '../../../../../plugins/bootc/layers/disk-tools/steps/deployment-files.ts'

const DEPLOYMENT = 'ostree/deploy/default/deploy/0a1b.0'

describe('files of a machine in an installed container', () => {
  let root: string
  const deployment = () => join(root, DEPLOYMENT)
  const write = async (path: string, content = 'key', mode = 0o600) =>
    writeFiles(await deploymentOf(root), [{ path, content, mode }])

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'installed-'))
    await mkdir(join(deployment(), 'etc'), { recursive: true })
    await writeFile(join(root, 'ostree/deploy/default/deploy/0a1b.0.origin'), '')
  })
  afterEach(() => rm(root, { recursive: true }))

  it('makes the folders on the way, and gives each file its mode', async () => {
    await write('/etc/ostree/auth.json')

    assert.equal(await readFile(join(deployment(), 'etc/ostree/auth.json'), 'utf8'), 'key')
    assert.equal((await stat(join(deployment(), 'etc/ostree/auth.json'))).mode & 0o7777, 0o600)
    assert.equal((await stat(join(deployment(), 'etc/ostree'))).mode & 0o7777, 0o755)
  })

  it('takes the place of what the image has there, and of a link without following it', async () => {
    await writeFile(join(root, 'outside'), 'untouched')
    await symlink('../../../../../../outside', join(deployment(), 'etc/hostname'))

    await write('/etc/hostname')

    assert.equal((await lstat(join(deployment(), 'etc/hostname'))).isFile(), true)
    assert.equal(await readFile(join(root, 'outside'), 'utf8'), 'untouched')
  })

  it('follows no link of the image that is a folder on the way, and says which file it could not write', async () => {
    await mkdir(join(root, 'outside'))
    await symlink(join(root, 'outside'), join(deployment(), 'etc/containers'))

    await assert.rejects(write('/etc/containers/auth.json'), {
      message:
        '/etc/containers/auth.json cannot be written to the installed system: a folder on its way is a link or a file in the image.',
    })
    assert.deepEqual(await readdir(join(root, 'outside')), [])
  })

  it('writes nowhere when /etc itself is a link', async () => {
    await rm(join(deployment(), 'etc'), { recursive: true })
    await mkdir(join(root, 'outside'))
    await symlink(join(root, 'outside'), join(deployment(), 'etc'))

    await assert.rejects(write('/etc/hostname'), /a folder on its way is a link/)
    assert.deepEqual(await readdir(join(root, 'outside')), [])
  })

  it('leaves no part of a file where a folder of the image is in its way', async () => {
    await mkdir(join(deployment(), 'etc/hostname'))

    await assert.rejects(write('/etc/hostname'), /the image has a folder of that name/)
    assert.deepEqual(await readdir(join(deployment(), 'etc')), ['hostname'])
  })

  it('finds no deployment behind a link', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'elsewhere-'))
    await mkdir(join(elsewhere, 'deploy/0a1b.0/etc'), { recursive: true })
    await rm(join(root, 'ostree/deploy/default'), { recursive: true })
    await symlink(elsewhere, join(root, 'ostree/deploy/default'))

    await assert.rejects(deploymentOf(root), {
      message: 'bootc ended without an error, but there is no deployment on the disk.',
    })
    await rm(elsewhere, { recursive: true })
  })

  it('refuses to choose between two deployments', async () => {
    await mkdir(join(root, 'ostree/deploy/default/deploy/0a1b.1'))

    await assert.rejects(deploymentOf(root), { message: 'There are several deployments on the disk: one is wanted.' })
  })

  for (const path of [
    '/usr/bin/sh',
    '/etc/../usr/x',
    '/etc/./x',
    'etc/x',
    '/etc',
    '/etc/',
    '/etc/a\nb',
    '/etc//x',
    7,
  ]) {
    it(`refuses the path ${JSON.stringify(path)}`, () => {
      assert.throws(() => deployedFiles([{ path, content: '' }]), {
        message: `The file ${JSON.stringify(path)} cannot be deployed: a path below /etc is wanted.`,
      })
    })
  }

  it('takes the folder of a registry that is reached by an IPv6 address', () => {
    const file = { path: '/etc/containers/certs.d/[fd66::1]:5000/ca.crt', content: 'pem', mode: 0o644 }

    assert.deepEqual(deployedFiles([file]), [file])
  })

  it('refuses a mode with more than permissions', () => {
    assert.throws(() => deployedFiles([{ path: '/etc/x', content: '', mode: 0o4755 }]), {
      message: 'The mode of /etc/x must be a number from 0 to 0777.',
    })
  })
})
