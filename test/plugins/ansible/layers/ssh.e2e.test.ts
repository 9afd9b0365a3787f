/** The layer `ssh` of the deploy ramdisk, with the box's real ssh and ansible. Needs root; boots no machine. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ansibleEnv, type RamdiskInNamespace, ramdiskInNamespace } from '../ramdisk-in-namespace.ts'

describe('layer ssh', { timeout: 900_000 }, () => {
  let machine: RamdiskInNamespace
  let host_key: string

  before(
    async () => {
      machine = await ramdiskInNamespace(AbortSignal.timeout(800_000))
      const facts = (await machine.start()) as { ssh_host_keys: string[] }
      host_key = facts.ssh_host_keys[0] ?? ''
      await writeFile(join(machine.work, 'known_hosts'), `127.0.0.1 ${host_key}\n`)
    },
    { timeout: 900_000 },
  )
  after(() => machine[Symbol.asyncDispose]())

  const ssh = (account: string, ...command: string[]) => {
    const known = `UserKnownHostsFile=${join(machine.work, 'known_hosts')}`
    const options = ['-i', machine.key, '-o', known, '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes']
    return machine.beside('ssh', [...options, `${account}@127.0.0.1`, ...command], { timeout_s: 60 })
  }
  const ansible = (module: string, args = '') =>
    machine.beside('ansible', ['all', '-i', '127.0.0.1,', '--become', '-m', module, '-a', args], {
      env: ansibleEnv(machine),
      timeout_s: 120,
    })

  it('tells an ed25519 host key, which sshd has', async () => {
    assert.match(host_key, /^ssh-ed25519 [A-Za-z0-9+/]{68}$/)
    assert.equal(await ssh('ansible', 'id -un'), 'ansible\n')
  })

  it('keeps the host key and the sshd when the agent starts again', async () => {
    const pid = await readFile(join(machine.root, 'run/sshd/sshd.pid'), 'utf8')

    const facts = await machine.start()

    assert.deepEqual(facts, { ssh_host_keys: [host_key] })
    assert.equal(await readFile(join(machine.root, 'run/sshd/sshd.pid'), 'utf8'), pid)
  })

  it('keeps the private key to root', async () => {
    const { mode, uid } = await stat(join(machine.root, 'run/sshd/ssh_host_ed25519_key'))

    assert.deepEqual({ mode: mode & 0o777, uid }, { mode: 0o600, uid: 0 })
    await assert.rejects(ssh('ansible', 'cat /run/sshd/ssh_host_ed25519_key'), /Permission denied/)
  })

  it('lets nobody in but ansible, by its key', async () => {
    await assert.rejects(ssh('root', 'true'), /Permission denied \(publickey\)/)
    await assert.rejects(ssh('nobody', 'true'), /Permission denied \(publickey\)/)
    const other = join(machine.work, 'other')
    await machine.beside('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const options = ['-i', other, '-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'BatchMode=yes']
    await assert.rejects(machine.beside('ssh', [...options, 'ansible@127.0.0.1', 'true']), /Permission denied/)
  })

  it('lets ansible become root without a password and without a word', async () => {
    assert.equal(await ssh('ansible', 'sudo -n id -u 2>&1'), '0\n')
  })

  it('is enough for modules of the ansible of this box', async () => {
    assert.match(await ansible('setup', 'filter=ansible_python_version'), /"ansible_python_version": "3\.13\./)
    assert.match(await ansible('copy', 'content=hello dest=/tmp/x mode=0600'), /"mode": "0600"/)
    assert.match(await ansible('slurp', 'src=/tmp/x'), /"content": "aGVsbG8="/)
    assert.match(await ansible('shell', 'cat /tmp/x | wc -c'), /rc=0 >>\s+5/)
  })

  it('has what playbooks for Ironic ask for', async () => {
    const programs = [
      'sgdisk',
      'sfdisk',
      'parted',
      'partprobe',
      'partx',
      'blkid',
      'lsblk',
      'udevadm',
      'shred',
      'base64',
    ]
    for (const program of [...programs, 'qemu-img', 'mkswap', 'mkfs.ext4', 'mkfs.xfs', 'mkfs.vfat', 'wipefs', 'zstd']) {
      await machine.inside('/usr/bin/sh', '-c', `command -v ${program}`)
      await machine.inside('/usr/bin/sh', '-c', `${program} --version || ${program} -V || ${program} --help`)
    }
    for (const program of ['unshare', 'chroot', 'fallocate', 'sync']) {
      await machine.inside('/usr/bin/sh', '-c', `command -v ${program}`)
    }
    await machine.inside('/usr/bin/python3', '-c', 'import requests, ssl, hashlib, zlib, json')
  })

  it("has a shell that takes these programs, and not busybox's own of their names", async () => {
    const told = await ansible('shell', 'sudo -n sh -c "mount --version; blkid --version; command -v poweroff"')

    assert.match(told, /mount from util-linux [\s\S]*blkid from util-linux[\s\S]*\/usr\/sbin\/poweroff/)
  })
})
