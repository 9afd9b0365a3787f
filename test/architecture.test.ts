/** The walls of the house: who may import whom, what the core must not know, how large a file may grow. Conventions are in README.md. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const LINE_LIMIT = 400

/** From the roof to the cellar. A file imports only from floors below its own, or from its own room. */
const FLOORS: readonly (readonly string[])[] = [
  ['cli'],
  ['serve'],
  ['api', 'web', 'jobs', 'rack-server'],
  ['conductor'],
  ['plugin-host', 'agent'],
  ['hardware', 'images', 'ca', 'guest'],
  ['records', 'config'],
  ['metrics', 'systemd-notify'],
  ['errors', 'log'],
  ['log-lines'],
  ['plugin-api'],
  ['ground'],
]
const WORKSPACES = ['appliance', 'pxe', 'registry-mirror', 'plugins', 'test']
/** Which rooms of the appliance may import another workspace, by its name. */
const WORKSPACE_USERS: Readonly<Record<string, readonly string[]>> = {
  '@appliance/pxe': ['conductor', 'guest', 'serve', 'cli'],
  '@appliance/registry-mirror': ['serve', 'jobs', 'cli'],
}

type Import = { file: string; target: string; typesOnly: boolean }

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')

const sources = globSync(
  WORKSPACES.map((folder) => `${folder}/**/*.ts`),
  { cwd: ROOT, exclude: (name) => name.includes('node_modules') },
).sort()

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

function importsOf(file: string): Import[] {
  const text = withoutComments(readFileSync(join(ROOT, file), 'utf8'))
  return [...text.matchAll(IMPORT)].map(([, type, from, dynamic]) => {
    const target = from ?? dynamic ?? ''
    return { file, target: target.startsWith('.') ? normalize(join(dirname(file), target)) : target, typesOnly: !!type }
  })
}
const imports = sources.flatMap(importsOf)

/** 'appliance/api/v1/nodes.ts' is in the room 'api', 'appliance/serve.ts' in 'serve'. */
const roomOf = (file: string) => (file.split('/')[1] ?? '').replace(/\.ts$/, '')
const floorOf = (room: string) => FLOORS.findIndex((floor) => floor.includes(room))
/** Runs on the machine. */
const isOfLayer = (file: string) => /^plugins\/[^/]+\/layers\//.test(file)
const inAppliance = (file: string) => file.startsWith('appliance/')
const isGround = (target: string) => target.startsWith('@appliance/ground/')

/** The first circle of files reachable from `file`, or undefined. */
function circleFrom(
  file: string,
  edges: ReadonlyMap<string, readonly string[]>,
  path: string[],
  done: Set<string>,
): string[] | undefined {
  const start = path.indexOf(file)
  if (start >= 0) return [...path.slice(start), file]
  if (done.has(file)) return undefined
  for (const next of edges.get(file) ?? []) {
    const circle = circleFrom(next, edges, [...path, file], done)
    if (circle) return circle
  }
  done.add(file)
  return undefined
}

describe('architecture', () => {
  it('gives every file of the appliance a floor', () => {
    const homeless = sources.filter((file) => inAppliance(file) && floorOf(roomOf(file)) < 0)

    assert.deepEqual(homeless, [])
  })

  it('lets imports inside the appliance go down only (types count)', () => {
    const upward = imports.filter(({ file, target }) => {
      if (!inAppliance(file) || !inAppliance(target)) return false
      const [from, to] = [roomOf(file), roomOf(target)]
      return from !== to && floorOf(to) <= floorOf(from)
    })

    assert.deepEqual(upward, [])
  })

  it('has no circle of imports', () => {
    const edges = new Map(sources.map((file) => [file, importsOf(file).map(({ target }) => target)]))
    const done = new Set<string>()

    const circles = sources.map((file) => circleFrom(file, edges, [], done)).filter((circle) => circle !== undefined)

    assert.deepEqual(circles, [])
  })

  it('lets the ground floor import nothing but Node itself', () => {
    const strays = imports.filter(
      ({ file, target }) =>
        file.startsWith('appliance/ground/') && !target.startsWith('node:') && !target.startsWith('appliance/ground/'),
    )

    assert.deepEqual(strays, [])
  })

  it('keeps pxe and the registry mirror free of the appliance, but for its ground floor, and of each other', () => {
    const leaks = imports.filter(
      ({ file, target }) =>
        /^(pxe|registry-mirror)\//.test(file) &&
        ((target.startsWith('@appliance/') && !isGround(target)) ||
          (!target.startsWith(`${file.split('/')[0]}/`) &&
            target.includes('/') &&
            WORKSPACES.includes(target.split('/')[0] ?? ''))),
    )

    assert.deepEqual(leaks, [])
  })

  it('lets only the rooms named for it import another workspace, through its one door', () => {
    const strays = imports.filter(
      ({ file, target }) =>
        inAppliance(file) &&
        ((target.startsWith('@appliance/') && !isGround(target) && !WORKSPACE_USERS[target]?.includes(roomOf(file))) ||
          /^(pxe|registry-mirror|plugins|test)\//.test(target)),
    )

    assert.deepEqual(strays, [])
  })

  it("lets plugins import types only, and only from the contracts: the plugin's, and in layers the agent's, beside Node itself", () => {
    const strays = imports.filter(
      ({ file, target, typesOnly }) =>
        file.startsWith('plugins/') &&
        !target.startsWith(dirname(file).split('/').slice(0, 2).join('/')) &&
        !(typesOnly && target === '@appliance/core/plugin-api') &&
        !(isOfLayer(file) && (target.startsWith('node:') || (typesOnly && target === '@appliance/pxe/agent-api'))),
    )

    assert.deepEqual(strays, [])
  })

  it('names no plugin in the core', () => {
    const names = globSync('plugins/*/package.json', { cwd: ROOT }).map(
      (manifest) => JSON.parse(readFileSync(join(ROOT, manifest), 'utf8')).appliance.name as string,
    )
    assert.ok(names.length > 0)
    const named = sources
      .filter((file) => /^(appliance|pxe|registry-mirror)\//.test(file))
      .flatMap((file) => {
        const text = withoutComments(readFileSync(join(ROOT, file), 'utf8'))
        return names.filter((name) => new RegExp(`\\b${name}\\b`).test(text)).map((name) => ({ file, name }))
      })

    assert.deepEqual(named, [])
  })

  it('uses no any', () => {
    const guilty = sources.filter((file) =>
      /(:|<|\bas|\|)\s*any\b|\bany\[\]/.test(
        withoutComments(readFileSync(join(ROOT, file), 'utf8')).replace(/'[^'\n]*'|`[^`]*`/g, ''),
      ),
    )

    assert.deepEqual(guilty, [])
  })

  it(`keeps every file under ${LINE_LIMIT} lines`, () => {
    const long = sources
      .map((file) => ({ file, lines: readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > LINE_LIMIT)

    assert.deepEqual(long, [])
  })

  it('gives every top-level folder a README', () => {
    const missing = ['appliance', 'pxe', 'plugins', 'registry-mirror', 'systemd', 'test'].filter(
      (folder) => !existsSync(join(ROOT, folder, 'README.md')),
    )

    assert.deepEqual(missing, [])
  })
})
