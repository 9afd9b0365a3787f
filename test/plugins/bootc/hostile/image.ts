/**
 * Tiny images whose bootc is a script of ours: what a stranger's image could do, as root of the machine that it is
 * installed on.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  descriptor,
  IMAGE,
  pushBlob,
  pushManifest,
  sha256,
  type TestRegistry,
} from '../../../registry-mirror/registry.ts'

const PROGRAMS = [
  'sh',
  'cat',
  'dd',
  'echo',
  'find',
  'grep',
  'gunzip',
  'head',
  'ls',
  'nc',
  'nsenter',
  'printf',
  'rev',
  'seq',
  'sleep',
  'sync',
  'tail',
  'tr',
]
const LABELS = { 'containers.bootc': '1' }
const SHELL = '#!/bin/sh\n'

/** The static one of the deploy ramdisk. */
export function busyboxOf(ramdisk: string): Buffer {
  const [base = ''] = readdirSync(ramdisk).filter((name) => name.startsWith('base-'))
  const options = { maxBuffer: 64 * 1024 ** 2 }
  const archive = execFileSync('zstd', ['-dc', join(ramdisk, base)], options)
  return execFileSync('cpio', ['--quiet', '-i', '--to-stdout', 'usr/bin/busybox'], { ...options, input: archive })
}

type Content = {
  busybox: Buffer
  /** For a shell, with a few programs of busybox. */
  script: string
  /** Lies in /disk.gz. */
  disk?: Buffer
}

/** @returns the digest of its manifest */
export async function pushHostile(registry: TestRegistry, name: string, content: Content): Promise<string> {
  const plain = layerOf(content)
  const layer = gzipSync(plain)
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: LABELS, Env: ['PATH=/usr/bin'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(plain).digest('hex')}`] },
    }),
  )
  for (const blob of [config, layer]) await pushBlob(registry, name, blob)
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
  })
  await pushManifest(registry, { name, reference: 'v1' }, manifest)
  return sha256(manifest)
}

function layerOf({ busybox, script, disk }: Content): Buffer {
  const root = mkdtempSync(join(tmpdir(), 'hostile-'))
  try {
    const programs = join(root, 'usr/bin')
    mkdirSync(programs, { recursive: true })
    for (const folder of ['dev', 'proc', 'sys', 'run', 'tmp', 'etc', 'var/tmp'])
      mkdirSync(join(root, folder), { recursive: true })
    symlinkSync('usr/bin', join(root, 'bin'))
    for (const program of PROGRAMS) symlinkSync('busybox', join(programs, program))
    writeFileSync(join(programs, 'busybox'), busybox)
    if (disk) writeFileSync(join(root, 'disk.gz'), gzipSync(disk))
    writeFileSync(join(programs, 'bootc'), `${SHELL}${script}\n`)
    for (const program of ['busybox', 'bootc']) chmodSync(join(programs, program), 0o755)
    return execFileSync('tar', ['-C', root, '--numeric-owner', '--owner=0', '--group=0', '-cf', '-', '.'], {
      maxBuffer: 64 * 1024 ** 2,
    })
  } finally {
    rmSync(root, { recursive: true })
  }
}
