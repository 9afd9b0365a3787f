/** Our playbooks with this box's real ansible, on files as disks. Boots no machine; roles on partitions need root. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { configDrive, diskImage, sfdisk } from '../../pxe/ramdisk/agent/disk-images.ts'
import { MIB } from '../../pxe/ramdisk/agent/fake-machine.ts'
import { serve, sha256, startImageServer, variantOf } from '../../pxe/ramdisk/agent/image-server.ts'
import { inFolder } from '../../pxe/ramdisk/agent/quick-folder.ts'
import { run } from '../../rack/run-program.ts'
import { type PlaybookRig, playbookRig } from './playbook-rig.ts'

const DISK = 'rsdisk0'
const HINTS = { name: `/dev/${DISK}` }
const SIZE = 64 * MIB

/** A disk that was used: data all over, and a GPT of its own with its copy at the end. */
async function usedDisk(rig: PlaybookRig): Promise<void> {
  await using file = await open(rig.disk(DISK), 'r+')
  for (const at of [0, 20 * MIB, SIZE - MIB]) await file.write(randomBytes(MIB), 0, MIB, at)
  await run('sfdisk', ['--quiet', '--force', rig.disk(DISK)], { input: 'label: gpt\nstart=2048, size=40000\n' })
}

const reads = async (rig: PlaybookRig, at: number, length: number) => {
  await using file = await open(rig.disk(DISK), 'r')
  return (await file.read(Buffer.alloc(length), 0, length, at)).buffer
}
const isZero = (bytes: Buffer) => bytes.equals(Buffer.alloc(bytes.length))
const imageAt = (url: string, image: Buffer, more: object = {}) => ({
  url: `${url}/image.raw`,
  disk_format: 'raw',
  os_hash_algo: 'sha256',
  os_hash_value: sha256(image),
  ...more,
})
const failed = (message: RegExp) => (error: Error) => {
  assert.match(error.message, message)
  return true
}

describe('deploy.yaml with a whole-disk image', { timeout: 600_000 }, () => {
  it('writes what comes as zstd, verified as it came, and nothing of what was there is left', async () => {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    await usedDisk(rig)
    const image = await diskImage('gpt')
    const { bytes, info } = variantOf('zstd', image)
    server.on('/image.raw', serve(image, { zstd: bytes }))

    const drive = await configDrive('#cloud-config\n')
    await writeFile(join(rig.machine.root, 'drive'), drive.text)
    const wrong = { os_hash_value: sha256(Buffer.from('another')), variants: [info] }
    const told = await rig.play('deploy.yaml', {
      image: imageAt(server.url, image, wrong),
      root_device_hints: HINTS,
      configdrive: { type: 'file', location: join(rig.machine.root, 'drive') },
    })

    const { partitions, complaints } = await sfdisk(rig.machine, DISK)
    assert.equal(complaints, '')
    assert.deepEqual(partitions.map(({ start, size }) => [start, size]).slice(0, 2), [
      [2048, 4096],
      [6144, 2048],
    ])
    assert.equal(partitions.length, 3)
    assert.ok((await reads(rig, MIB, 3 * MIB)).equals(image.subarray(MIB, 4 * MIB)))
    const drive_at = (partitions[2]?.start ?? 0) * 512
    assert.ok((await reads(rig, drive_at, drive.iso.length)).equals(drive.iso))
    assert.match(told, /failed=0/)
    assert.deepEqual(await readFile(join(rig.machine.root, 'drive'), 'utf8'), drive.text)
  })

  it('takes gzip without being told of it, and goes on where the connection broke', async () => {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    await usedDisk(rig)
    const image = await diskImage('dos')
    const gzip = gzipSync(image)
    const etag = '"one"'
    server.on(
      '/image.raw',
      serve(image),
      serve(image, { gzip, etag, cut_after: 100_000 }),
      serve(image, { gzip, etag }),
    )

    await rig.play('deploy.yaml', { image: imageAt(server.url, image), root_device_hints: HINTS })

    assert.ok((await reads(rig, 0, image.length)).equals(image))
    assert.ok(isZero(await reads(rig, SIZE - MIB, MIB)))
    assert.match(server.requests.at(-1) ?? '', /^GET \/image\.raw bytes=\d+-$/)
  })

  it('leaves a disk that boots nothing when the checksum is another', async () => {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    const image = await diskImage('gpt')
    server.on('/image.raw', serve(image))

    const told = rig.play('deploy.yaml', {
      image: imageAt(server.url, image, { os_hash_value: sha256(Buffer.from('another')) }),
      root_device_hints: HINTS,
    })

    await assert.rejects(told, failed(/Image failed to verify against checksum\. location: http/))
    assert.ok(isZero(await reads(rig, 0, MIB)))
  })

  it('refuses what is larger than the disk, has no checksum or is no disk, and leaves the disk as it is', async () => {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    const before = randomBytes(MIB)
    await writeFile(rig.disk(DISK), before)
    await run('truncate', ['-s', '4M', rig.disk(DISK)])
    const image = await diskImage('gpt')
    server.on('/image.raw', serve(image))

    const large = rig.play('deploy.yaml', { image: imageAt(server.url, image), root_device_hints: HINTS })
    await assert.rejects(large, failed(/The image has 6291456 bytes, and .*rsdisk0 has 4194304/))
    const bare = { url: `${server.url}/image.raw`, disk_format: 'raw' }
    const unverified = rig.play('deploy.yaml', { image: bare, root_device_hints: HINTS })
    await assert.rejects(unverified, failed(/The image has no checksum that could be verified here/))

    assert.ok((await reads(rig, 0, MIB)).equals(before))
  })

  it('converts qcow2, and refuses one that names another file', async () => {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    await usedDisk(rig)
    const image = await diskImage('gpt')
    const [qcow2, hostile] = await inFolder('qcow2-', async (folder) => {
      await writeFile(join(folder, 'a.raw'), image)
      await run('qemu-img', ['convert', '-O', 'qcow2', join(folder, 'a.raw'), join(folder, 'a.qcow2')])
      await run('qemu-img', ['create', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/hostname', join(folder, 'b.qcow2')])
      return [await readFile(join(folder, 'a.qcow2')), await readFile(join(folder, 'b.qcow2'))] as const
    })
    server.on('/image.raw', serve(qcow2))

    const deploy = (content: Buffer) =>
      rig.play('deploy.yaml', {
        image: imageAt(server.url, content, { disk_format: 'qcow2' }),
        root_device_hints: HINTS,
      })
    await deploy(qcow2)

    assert.ok((await reads(rig, MIB, 3 * MIB)).equals(image.subarray(MIB, 4 * MIB)))
    assert.equal((await sfdisk(rig.machine, DISK)).complaints, '')
    server.on('/image.raw', serve(hostile))
    await assert.rejects(deploy(hostile), failed(/names a backing file or a data file, and is refused/))
  })

  it('may be killed in the middle: the next run ends what is left of it, and deploys', async () => {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    const image = await diskImage('gpt')
    server.on('/image.raw', serve(image), serve(image, { hang_after: 2 * MIB }), serve(image))
    const begun = { image: imageAt(server.url, image), root_device_hints: HINTS }
    const killed = until(async () => server.requests.includes('GET /image.raw'))
    await rig.play('deploy.yaml', begun, { killed })
    const pid = await holderOf(rig.disk(DISK))
    await rig.play('deploy.yaml', begun)

    assert.ok(pid)
    assert.equal(await holderOf(rig.disk(DISK)), undefined)
    assert.ok((await reads(rig, MIB, 3 * MIB)).equals(image.subarray(MIB, 4 * MIB)))
  })
})

describe('role discover', { timeout: 300_000 }, () => {
  it('takes the disk that the agent takes by these hints, operators and all', async () => {
    const disks = [
      { name: 'rsdisk0', size_bytes: 5 * 1024 * MIB, serial: 'A1', model: 'ACME SSD 20' },
      { name: 'rsdisk1', size_bytes: 9 * 1024 * MIB, serial: 'B2', model: 'ACME HDD', rotational: true },
    ]
    await using rig = await playbookRig({ disks })
    await mkdir(join(rig.machine.root, 'site/hooks'), { recursive: true })
    const stop = "- fail: msg='goes to {{ ironic_root_device }}'\n"
    await writeFile(join(rig.machine.root, 'site/hooks/after_discover.yaml'), stop)
    const goes = (root_device_hints: object, to: string) =>
      assert.rejects(
        rig.play('deploy.yaml', { image: {}, root_device_hints }),
        failed(new RegExp(`goes to .*/dev/${to}`)),
      )

    await goes({ size: '>= 6' }, 'rsdisk1')
    await goes({}, 'rsdisk0')
    const none = rig.play('deploy.yaml', { image: {}, root_device_hints: { serial: 'C3' } })
    await assert.rejects(none, failed(/No suitable device was found for deployment using these hints/))
  })
})

describe('the folder of a site', { timeout: 300_000 }, () => {
  it('has hooks before and after each role, and roles instead of ours', async () => {
    await using rig = await playbookRig()
    const site = join(rig.machine.root, 'site')
    await mkdir(join(site, 'hooks'), { recursive: true })
    for (const stage of ['discover', 'prepare', 'deploy', 'configure']) {
      for (const when of ['before', 'after']) {
        const hook = `- lineinfile: path=${site}/log line='${when} ${stage}' create=true\n`
        await writeFile(join(site, `hooks/${when}_${stage}.yaml`), hook)
      }
    }
    await mkdir(join(site, 'roles/deploy/tasks'), { recursive: true })
    const role = `- lineinfile: path=${site}/log line='our own deploy to {{ ironic_image_target }}'\n`
    await writeFile(join(site, 'roles/deploy/tasks/main.yaml'), role)

    await rig.play('deploy.yaml', { image: {}, root_device_hints: HINTS })

    const log = (await readFile(join(site, 'log'), 'utf8')).replaceAll(rig.machine.root, '')
    assert.equal(
      log,
      'before discover\nafter discover\nbefore prepare\nafter prepare\nbefore deploy\n' +
        `our own deploy to /dev/${DISK}\nafter deploy\nbefore configure\nafter configure\n`,
    )
  })
})

describe('clean.yaml', { timeout: 300_000 }, () => {
  it('erases partition tables and signatures by the tag zap, at all ends', async () => {
    await using rig = await playbookRig()
    await usedDisk(rig)

    await rig.play('clean.yaml', {}, { tags: 'zap' })

    assert.ok(isZero(await reads(rig, 0, 4 * MIB)))
    assert.ok(isZero(await reads(rig, SIZE - MIB, MIB)))
    assert.ok(!isZero(await reads(rig, 20.75 * MIB, MIB / 4)))
  })

  it('overwrites whole disks by the tag shred, but not those that the node says to skip', async () => {
    const disks = [
      { name: 'rsdisk0', size_bytes: SIZE },
      { name: 'rsdisk1', size_bytes: SIZE, serial: 'KEEP' },
    ]
    await using rig = await playbookRig({ disks, node: { properties: { skip_block_devices: [{ serial: 'KEEP' }] } } })
    await usedDisk(rig)
    const kept = randomBytes(MIB)
    await writeFile(rig.disk('rsdisk1'), kept)

    await rig.play('clean.yaml', {}, { tags: 'shred' })

    assert.ok(isZero(await reads(rig, 0, SIZE)))
    assert.ok((await readFile(rig.disk('rsdisk1'))).equals(kept))
  })
})

/** Who has locked a file. */
async function holderOf(path: string): Promise<string | undefined> {
  const inode = (await run('stat', ['-c', '%i', path])).trim()
  const line = (await readFile('/proc/locks', 'utf8')).split('\n').find((one) => one.includes(`:${inode} `))
  return line?.trim().split(/\s+/)[4]
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error('it did not come true within 120 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
