/** Circles: of files, and of folders at any depth. */
import { type Import, imports, roomOf, sources } from './sources.ts'

/** The first circle of files reachable from `file`, or undefined. */
export function circleFrom(
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

const isSource = new Set(sources)

type Graph = Map<string, Map<string, Import>>

/**
 * For each folder, which of its entries imports which other, with one import that shows it. The entries are
 * subfolders, with everything below, and loose files; serve.ts and serve/ are one.
 */
function entryGraphs(): Map<string, Graph> {
  const graphs = new Map<string, Graph>()
  for (const found of imports.filter(({ target }) => isSource.has(target))) {
    const [from, to] = [found.file.split('/'), found.target.split('/')]
    let depth = 0
    while (depth < from.length - 1 && from[depth] === to[depth]) depth++
    const [entry = '', other = ''] = [from[depth], to[depth]].map((name) => roomOf(name ?? ''))
    if (entry === other) continue
    const folder = from.slice(0, depth).join('/')
    const graph: Graph = graphs.get(folder) ?? new Map()
    graphs.set(folder, graph)
    graph.set(entry, (graph.get(entry) ?? new Map()).set(other, found))
  }
  return graphs
}

function reachedFrom(entry: string, graph: Graph): Set<string> {
  const reached = new Set<string>()
  const open = [entry]
  for (let next = open.pop(); next !== undefined; next = open.pop())
    for (const other of graph.get(next)?.keys() ?? []) if (!reached.has(other) && reached.add(other)) open.push(other)
  return reached
}

export type Circle = { folder: string; entries: readonly string[]; shownBy: readonly string[] }

export function circlesOfFolders(): Circle[] {
  return [...entryGraphs()].flatMap(([folder, graph]) => {
    const reached = new Map([...graph.keys()].map((entry) => [entry, reachedFrom(entry, graph)]))
    const circles = [...reached].flatMap(([entry, others]) =>
      others.has(entry) ? [[...others].filter((other) => reached.get(other)?.has(entry)).sort()] : [],
    )
    const distinct = new Map(circles.map((entries) => [entries.join(' '), entries]))
    return [...distinct.values()].map((entries) => ({
      folder,
      entries,
      shownBy: entries.flatMap((entry) =>
        [...(graph.get(entry) ?? [])]
          .filter(([other]) => entries.includes(other))
          .map(([, { file, target }]) => `${file} > ${target}`),
      ),
    }))
  })
}

/** @param known  `folder: entries` */
export const isWithin = ({ folder, entries }: Circle, known: string) => {
  const [knownFolder, knownEntries = ''] = known.split(': ')
  return folder === knownFolder && entries.every((entry) => knownEntries.split(' ').includes(entry))
}
