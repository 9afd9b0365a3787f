/** The walls of the house: who may import whom, what the core must not know, how large files and prose may grow. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { circleFrom, circlesOfFolders, isWithin } from './architecture/circles.ts'
import { isAllowed, isNamed, rowOf } from './architecture/rules.ts'
import {
  filesLike,
  imports,
  importsOf,
  isBelow,
  isWide,
  linesOf,
  PROSE_WIDTH_LIMIT,
  roomOf,
  sources,
  textOf,
  WORKSPACES,
  withoutComments,
} from './architecture/sources.ts'
import { packagesReadWith } from './architecture/starts.ts'
import {
  FOUNDATION,
  KNOWN_CIRCLES,
  KNOWN_WIDE_COMMENTS,
  KNOWN_WIDE_DOCUMENTS,
  REGISTRY,
  WALLS,
} from './architecture/walls.ts'

/** A table of another program's sections: some are called as its plugins are. */
const SECTIONS_OF_IRONIC = 'appliance/config/ironic-options.ts'
const LINE_LIMIT = 400
const README_LINE_LIMIT = 150
const ROW_WIDTH_LIMIT = 200

describe('the walls', () => {
  it('stand in one table, which has a row for each file, and names in each row only rows further down', () => {
    const homeless = sources.filter((file) => rowOf(file) === undefined)
    const folders = WALLS.map(([folder]) => folder)
    const upward = WALLS.flatMap(([folder, mayImport], at) =>
      mayImport
        .map((name) =>
          name.replace('@appliance/core/', 'appliance/').replace(/^@appliance\/ground$/, 'appliance/ground'),
        )
        .filter((name) => folders.includes(name) && folders.indexOf(name) <= at)
        .map((name) => `${folder} > ${name}`),
    )

    assert.deepEqual({ homeless, upward }, { homeless: [], upward: [] })
  })

  it('have no folder in the table that is no more', () => {
    const gone = WALLS.map(([folder]) => folder).filter(
      (folder) => !sources.some((file) => rowOf(file)?.[0] === folder),
    )

    assert.deepEqual(gone, [])
  })

  it('name in no row what its folder does not import, but for what all stand on', () => {
    const needless = WALLS.flatMap(([folder, mayImport]) =>
      mayImport
        .filter(
          (name) => name !== '*' && !name.startsWith('type ') && !FOUNDATION.includes(name) && !REGISTRY.includes(name),
        )
        .filter((name) => !imports.some((found) => rowOf(found.file)?.[0] === folder && isNamed(found, name)))
        .map((name) => `${folder} > ${name}`),
    )

    assert.deepEqual(needless, [])
  })

  it('let a file import what the row of its folder names, and nothing else (types count)', () => {
    const strays = imports.filter((found) => !isAllowed(found))

    assert.deepEqual(strays, [])
  })

  it('have no circle of files', () => {
    const edges = new Map(sources.map((file) => [file, importsOf(file).map(({ target }) => target)]))
    const done = new Set<string>()

    const circles = sources.map((file) => circleFrom(file, edges, [], done)).filter((circle) => circle !== undefined)

    assert.deepEqual(circles, [])
  })

  it('have no circle of folders at any depth', () => {
    const circles = circlesOfFolders()

    const unknown = circles.filter((circle) => !KNOWN_CIRCLES.some((known) => isWithin(circle, known)))
    const gone = KNOWN_CIRCLES.filter((known) => !circles.some((circle) => isWithin(circle, known)))
    assert.deepEqual({ unknown, gone }, { unknown: [], gone: [] })
  })
})

/** Each of these is a hundred files. */
const LARGE: readonly string[] = ['execa', 'undici', 'zod', 'esbuild', 'hono', 'prom-client']
/** They make Node load its own fetch, or are read for a registry alone. */
const NOT_AT_START: readonly string[] = ['node:http', '@hono/node-server', 'tar-stream']

describe('a start', () => {
  it('of the appliance reads no client of HTTP and nothing that runs or bundles programs: those are read when needed', () => {
    const packages = packagesReadWith('appliance/cli/serve.ts')

    assert.deepEqual(
      [...LARGE, ...NOT_AT_START].filter((name) => packages.includes(name)),
      ['zod', 'hono', 'prom-client'],
    )
  })

  it('of help and of the version reads what reads the command line alone', () => {
    assert.deepEqual(packagesReadWith('appliance/cli.ts'), ['commander'])
  })

  it('of a command that reads settings alone reads none of the large packages', () => {
    const read = ['ca', 'config', 'jobs'].map((command) => [command, packagesReadWith(`appliance/cli/${command}.ts`)])

    const packages = ['cron', 'pino']
    assert.deepEqual(Object.fromEntries(read), { ca: packages, config: packages, jobs: packages })
  })
})

/** Also words of the field: as a text of their own they name the plugin, but for a command of that name. */
const TERMS: readonly string[] = ['ramdisk']
/** Also names of the core's own implementations of other interface types: the plugin is meant beside `deploy`. */
const SHARED: readonly string[] = ['fake']
const naming = (name: string) => {
  if (SHARED.includes(name)) return new RegExp(`deploy.*['"\`]${name}['"\`]`)
  return TERMS.includes(name) ? new RegExp(`(?<!\\.command\\()['"\`]${name}['"\`]`) : new RegExp(`\\b${name}\\b`)
}

describe('the core', () => {
  it('names no plugin', () => {
    const names = filesLike('plugins/*/package.json').map((manifest) => JSON.parse(textOf(manifest)).appliance.name)
    assert.ok(names.length > 0)
    const named = sources
      .filter((file) => /^(appliance|pxe|registry-mirror)\//.test(file) && file !== SECTIONS_OF_IRONIC)
      .flatMap((file) => {
        const text = withoutComments(textOf(file))
        return names.filter((name) => naming(name).test(text)).map((name) => ({ file, name }))
      })

    assert.deepEqual(named, [])
  })
})

describe('a source file', () => {
  it('uses no any', () => {
    const guilty = sources.filter((file) =>
      /(:|<|\bas|\|)\s*any\b|\bany\[\]/.test(withoutComments(textOf(file)).replace(/'[^'\n]*'|`[^`]*`/g, '')),
    )

    assert.deepEqual(guilty, [])
  })

  it(`has at most ${LINE_LIMIT} lines`, () => {
    const long = sources.map((file) => ({ file, lines: linesOf(file).length - 1 }))

    assert.deepEqual(
      long.filter(({ lines }) => lines > LINE_LIMIT),
      [],
    )
  })

  it(`has comments of at most ${PROSE_WIDTH_LIMIT} characters a line`, () => {
    const wide = sources.filter((file) =>
      linesOf(file).some((line) => isWide(line) && /^\s*(\/\*\*|\/\/|\*)/.test(line)),
    )

    assertOnlyKnown(wide, KNOWN_WIDE_COMMENTS)
  })
})

describe('a document', () => {
  it('stands in every top-level folder as its README', () => {
    const missing = ['appliance', 'pxe', 'plugins', 'registry-mirror', 'systemd', 'test'].filter(
      (folder) => filesLike(`${folder}/README.md`).length === 0,
    )

    assert.deepEqual(missing, [])
  })

  it(`has lines of at most ${PROSE_WIDTH_LIMIT} characters, and a README at most ${README_LINE_LIMIT} of them`, () => {
    const documents = filesLike('*.md', ...WORKSPACES.map((folder) => `${folder}/**/*.md`), 'systemd/*.md')
    const large = documents
      .filter((file) => file !== 'CHANGELOG.md')
      .filter(
        (file) => isWideDocument(file) || (file.endsWith('README.md') && linesOf(file).length - 1 > README_LINE_LIMIT),
      )

    assertOnlyKnown(large, KNOWN_WIDE_DOCUMENTS)
  })
})

/** Commands stand as they are typed, and a row of a table cannot be broken: it may be wider. */
function isWideDocument(file: string): boolean {
  const prose = textOf(file)
    .replaceAll(/^ *```[^\n]*\n[\s\S]*?^ *```$/gm, '')
    .split('\n')
  return prose.some((line) => (line.startsWith('|') ? [...line].length > ROW_WIDTH_LIMIT : isWide(line)))
}

/** @param known  files, or folders with all below, that are still so; each must be */
function assertOnlyKnown(found: readonly string[], known: readonly string[]): void {
  const isIn = (file: string, path: string) => file === path || isBelow(roomOf(file), path)
  const unknown = found.filter((file) => !known.some((path) => isIn(file, path)))
  const gone = known.filter((path) => !found.some((file) => isIn(file, path)))

  assert.deepEqual({ unknown, gone }, { unknown: [], gone: [] })
}
