/** Files for one machine alone: what is refused, and what a kernel unpacks over its ramdisk. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { checkMachineFiles, type MachineFile, packMachineFiles } from '../../pxe/index.ts'

const file = (path: string, more: Partial<MachineFile> = {}): MachineFile => ({ path, content: 'text', ...more })
const cpio = (options: string, archive: Buffer) =>
  execFileSync('cpio', options.split(' '), { input: gunzipSync(archive), encoding: 'utf8', stdio: 'pipe' })
/** Mode and name of each entry, in their order. */
const listed = (archive: Buffer) =>
  cpio('-itv --quiet --numeric-uid-gid', archive)
    .trim()
    .split('\n')
    .map((line) => line.replace(/^(\S+).* (\S+)$/, '$1 $2'))

describe('files for one machine', () => {
  it('are for root alone unless a mode says otherwise, in folders that are made', async () => {
    const archive = await packMachineFiles([
      file('/etc/containers/registries.conf.d/50-mirror.conf', { mode: 0o644 }),
      file('/etc/containers/auth.json', { content: '{"auths": {}}' }),
    ])

    assert.deepEqual(listed(archive), [
      'drwxr-xr-x etc',
      'drwxr-xr-x etc/containers',
      'drwxr-xr-x etc/containers/registries.conf.d',
      '-rw-r--r-- etc/containers/registries.conf.d/50-mirror.conf',
      '-rw------- etc/containers/auth.json',
    ])
    assert.equal(cpio('-i --quiet --to-stdout etc/containers/auth.json', archive), '{"auths": {}}')
  })

  it('leave the links of a merged /usr, and the modes of the folders that they go through, as they are', async () => {
    const archive = await packMachineFiles([
      file('/lib/systemd/system/a.service'),
      file('/sbin/b'),
      file('/var/run/c'),
      file('/root/.config/containers/auth.json'),
      file('/tmp/d'),
    ])

    const names = listed(archive)
    assert.deepEqual(
      names.filter((line) => /^\S+ (bin|sbin|lib|lib64|var)(\/|$)/.test(line)),
      [],
    )
    assert.ok(names.includes('-rw------- usr/lib/systemd/system/a.service'))
    assert.ok(names.includes('-rw------- usr/sbin/b'))
    assert.ok(names.includes('-rw------- run/c'))
    assert.ok(names.includes('drwx------ root'))
    assert.ok(names.includes('drwxrwxrwt tmp'))
  })

  const limit = 256 * 1024
  const refusals: [string, readonly MachineFile[], string][] = [
    ...[
      'etc/a',
      '/etc/../a',
      '/etc//a',
      '/etc/./a',
      '/etc/a/',
      '/',
      '',
      '/etc/a b',
      '/etc/a\nb',
      '/dev/sda',
      '/proc/x',
    ].map((path): [string, readonly MachineFile[], string] => [
      `the path ${JSON.stringify(path)}`,
      [file(path)],
      `"${path}" as a path: an absolute one without "..", of plain characters, outside /dev, /proc and /sys is expected.`,
    ]),
    [
      'a mode that is more than permissions',
      [file('/a', { mode: 0o4755 })],
      'mode 2541 for /a: 0 to 0o777 is expected.',
    ],
    ['two for one path', [file('/lib/a'), file('/usr/lib/a')], '/usr/lib/a twice.'],
    ['a file that is a folder, too', [file('/etc/a'), file('/etc/a/b')], '/etc/a as a file and as a folder.'],
    [
      'more than 256 KiB',
      [file('/a', { content: 'x'.repeat(limit) }), file('/b')],
      '262148 bytes: at most 262144 are taken.',
    ],
  ]
  for (const [name, files, found] of refusals) {
    it(`are refused with ${name}`, () => {
      assert.throws(() => checkMachineFiles(files), {
        name: 'PxeError',
        message: `The files for a machine's deploy ramdisk hold ${found}`,
      })
    })
  }

  it('may be 256 KiB in all, also for a registry with an IPv6 address', () => {
    checkMachineFiles([
      file('/etc/containers/certs.d/[fd66::1]:5000/ca.crt', { content: '' }),
      file('/a', { content: 'x'.repeat(limit) }),
    ])
  })
})
