/**
 * Logically bound images: what the image wants beside it. bootc takes them from podman's store when it installs, and
 * fetches none itself.
 */
import { constants } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { StepAgent } from '@appliance/pxe/agent-api'
import { type InstallArguments, isReference } from './arguments.ts'
import { pulledName } from './registries.ts'

const FOLDER = '/usr/lib/bootc/bound-images.d'
const IMAGES_LIMIT = 100
const FILE_LIMIT_BYTES = 64 * 1024
const LINKS_LIMIT = 8
const MOUNT_TIMEOUT_S = 120
/** Of a quadlet; bootc honours nothing else of it. */
const IMAGE = /^Image=(.+)$/m

/** @returns references, each once. @throws Error  one that cannot be read: bootc would miss it later */
export async function boundImages(agent: StepAgent, args: InstallArguments): Promise<string[]> {
  const name = pulledName(args)
  const shown = await agent.programs.run('podman', ['image', 'mount', name], { timeout_s: MOUNT_TIMEOUT_S })
  try {
    return await boundImagesIn(shown.trim().split('\n').pop() ?? '')
  } finally {
    await agent.programs
      .run('podman', ['image', 'umount', name], { timeout_s: MOUNT_TIMEOUT_S })
      .catch((error: Error) => agent.screen.note(error.message))
  }
}

/** @param tree  of the image; no link in it leads out of it */
export async function boundImagesIn(tree: string): Promise<string[]> {
  const folder = await resolveIn(tree, FOLDER).catch(() => undefined)
  if (folder === undefined) return []
  const names = (await readdir(join(tree, folder)).catch(() => [])).sort()
  if (names.length > IMAGES_LIMIT)
    throw new Error(`The image binds ${names.length} images: at most ${IMAGES_LIMIT} are installed.`)
  const found = await Promise.all(names.map((name) => referenceIn(tree, join(folder, name))))
  return [...new Set(found)]
}

async function referenceIn(tree: string, path: string): Promise<string> {
  const reading = resolveIn(tree, path).then((place) => readSmall(join(tree, place)))
  const text = await reading.catch((cause: Error) => {
    throw new Error(`${path} of the image, which binds another one, cannot be read: ${cause.message}`, { cause })
  })
  const reference = IMAGE.exec(text)?.[1]?.trim()
  if (isReference(reference)) return reference
  throw new Error(`${path} of the image names no image that can be bound: ${JSON.stringify(reference ?? null)}.`)
}

/** As a process with that root would. @returns absolute path within the tree, whose parts are no links */
async function resolveIn(tree: string, path: string): Promise<string> {
  let at = path
  for (let hop = 0; hop <= LINKS_LIMIT; hop++) {
    const link = await firstLink(tree, at)
    if (!link) return at
    at = resolve(dirname(link.path), link.target, link.rest)
  }
  throw new Error('too many links')
}

async function firstLink(tree: string, path: string) {
  const names = path.split('/').slice(1)
  for (let count = 1; count <= names.length; count++) {
    const part = `/${names.slice(0, count).join('/')}`
    if (!(await lstat(join(tree, part))).isSymbolicLink()) continue
    return { path: part, target: await readlink(join(tree, part)), rest: names.slice(count).join('/') }
  }
  return undefined
}

async function readSmall(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  if (!(await file.stat()).isFile()) throw new Error('it is no file')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(FILE_LIMIT_BYTES), 0, FILE_LIMIT_BYTES, 0)
  return buffer.toString('utf8', 0, bytesRead)
}
