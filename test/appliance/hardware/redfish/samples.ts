/** Answers of real BMCs, as the test data of sushy (PyPI, Apache-2.0) has them. Fetched once, not kept here. */
import { globSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { cached } from '../../../rack/cache.ts'
import { run } from '../../../rack/run-program.ts'

const SUSHY = 'sushy==5.14.0'
const TIMEOUT_S = 300
const UNPACK = `
import glob, sys, zipfile
file = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0])
file.extractall(sys.argv[1], [name for name in file.namelist() if '/json_samples/' in name])
`

/** By file name. @throws CommandFailed  PyPI does not give them */
export async function samples(signal: AbortSignal): Promise<ReadonlyMap<string, unknown>> {
  const folder = await cached('sushy-samples', '5.14.0', async (work) => {
    const o = { signal, timeout_s: TIMEOUT_S }
    await mkdir(work, { recursive: true })
    await run('python3', ['-m', 'venv', join(work, 'venv')], o)
    const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check', 'download', '--no-deps', '--dest', work, SUSHY]
    await run(join(work, 'venv/bin/python'), pip, o)
    await run('python3', ['-c', UNPACK, work], o)
  })
  const files = globSync('sushy/tests/unit/json_samples/*.json', { cwd: folder })
  const read = files.map(
    async (file) => [basename(file), JSON.parse(await readFile(join(folder, file), 'utf8'))] as const,
  )
  return new Map(await Promise.all(read))
}
