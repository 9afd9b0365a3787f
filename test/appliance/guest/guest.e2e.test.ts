/**
 * Steps in a virtual machine of their own: what it can do, what it cannot, and what is left of it. Real QEMU, the
 * real deploy ramdisk.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createGuests, type Guests } from '../../../appliance/guest/guest.ts'
import { guestMirror } from '../../../appliance/guest/mirror-address.ts'
import type { GuestOrder } from '../../../appliance/guest/order.ts'
import { createLog } from '../../../appliance/log.ts'
import type { Progress } from '../../../appliance/plugin-api/index.ts'
import { buildRamdisk } from '../../../pxe/ramdisk/build.ts'
import { cacheFolder } from '../../rack/cache.ts'

const MIB = 1024 * 1024
const LAYER = 'guest-trial'
const ORDER = { layers: [LAYER], args: {}, disks: [], memory_mib: 384, timeout_s: 120, mirror: false }

describe('a guest', { timeout: 900_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'guest-'))
  const server = createServer((request, response) => response.end(`the mirror was asked for ${request.url}`))
  let guests: Guests
  const told: Progress[] = []

  before(async () => {
    await buildRamdisk({
      output: join(folder, 'ramdisk'),
      cache: join(cacheFolder(), 'ramdisk-pieces'),
      flavour: 'virtual',
      layers: [{ name: LAYER, folder: join(import.meta.dirname, 'layers', LAYER) }],
      log: () => {},
      signal: AbortSignal.timeout(300_000),
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    guests = createGuests(given())
  })
  after(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })

  const portOf = () => (server.address() as AddressInfo).port
  const given = () => ({
    ramdisk_path: join(folder, 'ramdisk'),
    folder: join(folder, 'guests'),
    mirror: () => ({ host: '127.0.0.1', port: portOf() }),
    log: createLog('error', () => {}),
  })
  const waiter = (signal = AbortSignal.timeout(300_000)) => ({
    signal,
    progress: (progress: Progress) => void told.push(progress),
  })
  const run = (order: Partial<GuestOrder> & { step: string }, signal?: AbortSignal) =>
    guests.run({ ...ORDER, ...order }, waiter(signal))
  const machinesOf = (pid: number) =>
    spawnSync('pgrep', ['-P', String(pid), '-f', 'rackstrap-guest=1'], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter(Boolean)
  const nothingLeft = () => {
    assert.deepEqual(existsSync(join(folder, 'guests')) ? readdirSync(join(folder, 'guests')) : [], [])
    assert.deepEqual(machinesOf(process.pid), [])
  }

  it('writes to the disks that it is given and not beyond, tells its progress, and returns what its step returns', async () => {
    const disk = join(folder, 'disk.raw')
    const scratch = join(folder, 'scratch.raw')

    const result = await run({
      step: 'guest_write',
      args: { text: 'written by the guest' },
      disks: [
        { path: disk, size_bytes: 64 * MIB },
        { path: scratch, size_bytes: 128 * MIB },
      ],
    })

    assert.deepEqual(result, { filled: 'ENOSPC', sectors: (128 * MIB) / 512 })
    assert.equal(statSync(scratch).size, 128 * MIB)
    assert.equal(readFileSync(disk).subarray(0, 20).toString(), 'written by the guest')
    assert.ok(statSync(disk).blocks * 512 < MIB, 'the disk is sparse')
    assert.ok(told.some(({ note, done, total }) => note === 'writing' && done === 1 && total === 2))
    nothingLeft()
  })

  it('reaches the mirror, and nothing else', async () => {
    const others: [string, number][] = [
      ['10.0.2.2', portOf()],
      ['10.0.2.2', 22],
      ['127.0.0.1', portOf()],
      ['10.0.2.100', 22],
      ['8.8.8.8', 53],
    ]

    const result = await run({
      step: 'guest_reach',
      mirror: true,
      args: { mirror: `http://${guestMirror(portOf())}/v2/`, others },
    })

    assert.deepEqual(result, { answer: 'the mirror was asked for /v2/', reached: [] })
  })

  it('that fails is told of in one clean line, whatever else it writes', async () => {
    await assert.rejects(run({ step: 'guest_lie' }), {
      name: 'GuestFailure',
      message: 'it failed in two lines',
    })

    assert.ok(told.every(({ note }) => !/\p{C}/u.test(note)))
    nothingLeft()
  })

  it('that hangs, because its step is a fork bomb, is ended when its time is over', async () => {
    await assert.rejects(run({ step: 'guest_bomb', timeout_s: 25 }), {
      // Whichever gets hold of the memory first.
      message:
        /^The virtual machine for guest_bomb (did not end within 25 s|ended with code 0) before it told a result\. Its last words: |^The agent in the virtual machine ended unexpectedly\.$/,
    })

    nothingLeft()
  })

  it('that tells nothing any more is ended before its time is over', async () => {
    const impatient = createGuests({ ...given(), silence_s: 60 })

    await assert.rejects(impatient.run({ ...ORDER, step: 'guest_hang', timeout_s: 600 }, waiter()), {
      message: /^The virtual machine for guest_hang told nothing for 60 s before it told a result\. Its last words: /,
    })

    nothingLeft()
  })

  it('is ended when the deploy is called off', async () => {
    const off = new AbortController()
    const running = run({ step: 'guest_hang' }, off.signal)
    told.length = 0
    const waiting = run({ step: 'guest_hang' }, off.signal)
    setTimeout(() => off.abort(new Error('called off')), 3000)

    const ends = await Promise.allSettled([running, waiting])

    assert.deepEqual(
      ends.map((end) => end.status === 'rejected' && end.reason.message),
      ['called off', 'called off'],
    )

    nothingLeft()
  })

  it('whose kernel panics, or whose agent dies, has failed', async () => {
    await assert.rejects(run({ step: 'guest_panic' }), {
      message:
        'The virtual machine for guest_panic ended with code 0 before it told a result. Its last words: Kernel panic - not syncing: sysrq triggered crash',
    })
    await assert.rejects(run({ step: 'guest_die' }), {
      message: 'The agent in the virtual machine ended unexpectedly.',
    })

    nothingLeft()
  })

  it('is gone when the appliance is killed, and so are its files at the next start', async () => {
    const place = join(folder, 'killed')
    const appliance = spawn(process.execPath, [join(import.meta.dirname, 'appliance-of-one-guest.ts')], {
      env: { ...process.env, GUEST_FOLDER: place, GUEST_RAMDISK: join(folder, 'ramdisk'), GUEST_LAYER: LAYER },
      stdio: 'ignore',
    })
    const { pid = 0 } = appliance
    const [machine = ''] = await eventually(() => machinesOf(pid))
    appliance.kill('SIGKILL')

    await eventually(() => (existsSync(`/proc/${machine}`) ? [] : ['gone']))
    assert.equal(readdirSync(place).length, 1)
    createGuests({ ...given(), folder: place })
    await eventually(() => (existsSync(place) ? [] : ['gone']))
  })

  it('that fills the disk of the appliance is ended while there is some room left', async () => {
    const small = join(folder, 'small')
    mkdirSync(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=320m', 'small', small])
    try {
      const disks = ['a', 'b'].map((name) => ({ path: join(small, name), size_bytes: 256 * MIB }))
      const running = run({ step: 'guest_write', args: { text: 'x' }, disks })

      await assert.rejects(running, {
        name: 'GuestFailure',
        message: new RegExp(
          `^The appliance's disk is full: no virtual machine for guest_write runs while \\d+ MiB are left in ${small}, and 256 are to be\\. Free some\\.$`,
        ),
      })
      nothingLeft()
    } finally {
      execFileSync('umount', [small])
    }
  })

  it('runs without KVM where that is of no use', async () => {
    const hopeful = createGuests({ ...given(), accelerator: () => 'kvm' })

    await assert.rejects(hopeful.run({ ...ORDER, step: 'guest_dance' }, waiter()), {
      message: 'No layer brings the step guest_dance.',
    })
  })

  it('is refused when its layer is not there', async () => {
    await assert.rejects(run({ step: 'guest_write', layers: ['podman'] }), {
      message: `The deploy ramdisk has no layer podman (there: ${LAYER}). Build it again with "rackstrap ramdisk build".`,
    })
  })
})

async function eventually(look: () => string[]): Promise<string[]> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const found = look()
    if (found.length > 0) return found
    await pause(100)
  }
  throw new Error('It did not come to pass within 20 s.')
}
