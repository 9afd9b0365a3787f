/** What a clone would hold of this checkout, its uncommitted files included; neither packages nor caches come along. */
import { execFileSync } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT } from '../rack/cache.ts'

/** @param folder  appears, with the files in it */
export async function copyCheckout(folder: string): Promise<void> {
  const args = ['-c', 'safe.directory=*', 'ls-files', '-co', '--exclude-standard', '-z']
  const files = execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8' }).split('\0').filter(Boolean)
  for (const file of files) await cp(join(CHECKOUT, file), join(folder, file))
}
