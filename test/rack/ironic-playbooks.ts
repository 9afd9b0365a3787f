/**
 * Ironic's own playbooks, from the package `ironic` on PyPI, as they come; and the collection community.general, which
 * has the modules parted and filesystem that they use and ansible-core lacks.
 */
import { globSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { run } from './run-program.ts'

const IRONIC = 'ironic==39.0.0'
/** For ansible-core 2.14 and later. */
const COLLECTIONS = 'ansible==7.7.0'
const COLLECTION = 'ansible_collections/community/general/*'
const DEADLINE_S = 900

export type IronicPlaybooks = { playbooks_path: string; config_file_path: string }

/** Nothing that Ironic itself needs comes with them. @throws Error  PyPI does not give them */
export async function ensureIronicPlaybooks(signal: AbortSignal): Promise<IronicPlaybooks> {
  const folder = await cached('ironic-playbooks', '39.0.0-7.7.0', async (output) => {
    const o = { signal, timeout_s: DEADLINE_S }
    await run('python3', ['-m', 'venv', output], o)
    const pip = (...args: string[]) =>
      run(join(output, 'bin/python3'), ['-m', 'pip', '--quiet', '--disable-pip-version-check', ...args], o)
    await pip('install', '--no-deps', IRONIC)
    // The package holds a hundred collections.
    await pip('download', '--no-deps', '--only-binary', ':all:', '--dest', output, COLLECTIONS)
    const [wheel = ''] = globSync('ansible-*.whl', { cwd: output })
    await run('python3', ['-c', UNPACK, join(output, wheel), COLLECTION, output], o)
  })
  const [playbooks] = globSync('lib/python3*/site-packages/ironic/drivers/modules/ansible/playbooks', { cwd: folder })
  if (playbooks === undefined) throw new Error(`${IRONIC} has no playbooks`)
  const config_file_path = join(folder, 'ansible.cfg')
  await writeFile(config_file_path, `[defaults]\ncollections_path = ${folder}\n\n[ssh_connection]\npipelining = True\n`)
  return { playbooks_path: join(folder, playbooks), config_file_path }
}

/** The wheel, the members to take, and where to. */
const UNPACK = `
import fnmatch, os, sys, zipfile
wheel, pattern, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as file:
    file.extractall(folder, [name for name in file.namelist() if fnmatch.fnmatch(name, pattern)])
os.remove(wheel)
`
