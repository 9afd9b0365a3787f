/** Writes a plugin that works, for its author to go on from: the files of skeleton/, with the name of theirs. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PluginRefused } from '../plugin-host/manifest.ts'

const SKELETON = join(import.meta.dirname, 'skeleton')
const EXAMPLE = 'hello'
/** As a node's deploy_interface; its layer has the same name. */
const NAME = /^[a-z][a-z0-9-]{0,40}$/

/** @returns the files written. @throws PluginRefused  the name is none, or the folder is there already */
export async function writeSkeleton(name: string, folder: string): Promise<string[]> {
  if (!NAME.test(name)) {
    throw new PluginRefused(
      `"${name}" is no name of a plugin: lower case letters, digits and hyphens are expected, a letter first`,
    )
  }
  if (existsSync(folder)) throw new PluginRefused(`${folder} is there already: name a folder that is not`)
  const entries = await readdir(SKELETON, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(SKELETON.length + 1))
  for (const file of files) {
    const text = await readFile(join(SKELETON, file), 'utf8')
    await write(join(folder, file.replaceAll(EXAMPLE, name)), renamed(text, name))
  }
  await write(join(folder, 'tsconfig.json'), tsconfig())
  return [...files.map((file) => file.replaceAll(EXAMPLE, name)), 'tsconfig.json'].sort()
}

/** In names of fields and steps there are no hyphens. */
const renamed = (text: string, name: string) =>
  text
    .replaceAll(`${EXAMPLE}_`, `${name.replaceAll('-', '_')}_`)
    .replaceAll(`_${EXAMPLE}`, `_${name.replaceAll('-', '_')}`)
    .replaceAll(new RegExp(`(['"\`/[-]|^# )${EXAMPLE}(?=['"\`/.\\]]|$)`, 'gm'), `$1${name}`)

/** An editor and tsc find our types by it; it names this installation. */
const tsconfig = () => {
  const extended = join(import.meta.dirname, 'tsconfig.json')
  return `${JSON.stringify({ extends: extended, include: ['**/*.ts'] }, null, 2)}\n`
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
