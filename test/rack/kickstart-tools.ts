/** What the world has of kickstarts, from PyPI: pykickstart's ksvalidator, and the template of Ironic. Fetched once. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { run } from './run-program.ts'

const PYKICKSTART = 'pykickstart==3.78'
const IRONIC = 'ironic==39.0.0'
const TEMPLATE = 'ironic/drivers/modules/ks.cfg.template'
const TIMEOUT_S = 300

export type KickstartTools = {
  /** Ironic's own template. */
  template: string
  /** @returns what ksvalidator says of a kickstart file; empty: nothing is wrong. @param version  RHEL9, F42 */
  validate(file: string, version: string): Promise<string>
  /** A program of the name ksvalidator, as a box would have it. */
  folder: string
}

/** @throws CommandFailed  PyPI does not give them */
export async function kickstartTools(signal: AbortSignal): Promise<KickstartTools> {
  const folder = await cached('kickstart-tools', '3.78-39.0.0', async (work) => {
    await mkdir(work, { recursive: true })
    const limits = { signal, timeout_s: TIMEOUT_S }
    const pip = [join(work, 'venv/bin/python'), '-m', 'pip', '--quiet', '--disable-pip-version-check', '--no-input']
    const [program = '', ...options] = pip
    await run('python3', ['-m', 'venv', join(work, 'venv')], limits)
    await run(program, [...options, 'install', PYKICKSTART], limits)
    await run(program, [...options, 'download', '--no-deps', '--dest', join(work, 'ironic'), IRONIC], limits)
    const unpack =
      'import glob,sys,zipfile; zipfile.ZipFile(glob.glob(sys.argv[1])[0]).extract(sys.argv[2], sys.argv[3])'
    await run(program, ['-c', unpack, join(work, 'ironic/*.whl'), TEMPLATE, work], limits)
    await mkdir(join(work, 'bin'))
    // The scripts of a virtual environment name the folder that it was made in.
    const script = '#!/bin/sh\nhere=$(dirname "$0")/../venv/bin\nexec "$here/python" "$here/ksvalidator" "$@"\n'
    await writeFile(join(work, 'bin/ksvalidator'), script, { mode: 0o755 })
  })
  return {
    folder: join(folder, 'bin'),
    template: await readFile(join(folder, TEMPLATE), 'utf8'),
    validate: (file, version) =>
      run(
        'sh',
        ['-c', '"$1" -v "$2" "$3" 2>&1 || echo "exit status $?"', 'sh', join(folder, 'bin/ksvalidator'), version, file],
        {
          signal,
          timeout_s: 60,
        },
      ).then((said) => said.replace(/^\s*Checking kickstart file .*$/m, '').trim()),
  }
}
