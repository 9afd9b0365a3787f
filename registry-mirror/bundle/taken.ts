/** What an import has taken so far, in counts and by name, so that one that fails can say what is in place. */
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName, Tag } from '../oci/names.ts'
import type { BundleFile, BundleIndex } from './format.ts'

/** How much was taken, and how much was there already. */
export type ImportResult = Record<'blobs' | 'manifests' | 'tags' | 'files', { taken: number; there: number }>

/** A message names so many of each; then it counts. */
const NAMES_LIMIT = 20

export class Taken {
  readonly result: ImportResult = {
    blobs: { taken: 0, there: 0 },
    manifests: { taken: 0, there: 0 },
    tags: { taken: 0, there: 0 },
    files: { taken: 0, there: 0 },
  }
  #begun: { index: BundleIndex; files_folder: string | false | undefined } | undefined
  /** Of images: REPOSITORY:TAG, and REPOSITORY@DIGEST of manifests. */
  readonly #references = new Set<string>()
  readonly #files = new Set<string>()

  /** From now on content may come. */
  begin(index: BundleIndex, files_folder: string | false | undefined): void {
    this.#begun = { index, files_folder }
  }

  blob(how: 'taken' | 'there'): void {
    this.result.blobs[how]++
  }
  manifest(repository: RepositoryName, digest: Digest, how: 'taken' | 'there'): void {
    this.result.manifests[how]++
    this.#references.add(`${repository}@${digest}`)
  }
  tag(repository: RepositoryName, tag: Tag, how: 'taken' | 'there'): void {
    this.result.tags[how]++
    this.#references.add(`${repository}:${tag}`)
  }
  file({ name }: BundleFile, how: 'taken' | 'there'): void {
    this.result.files[how]++
    this.#files.add(name)
  }

  /**
   * Sentences for the operator of an import that failed: what is in place, what is not, and what to do. Empty when it
   * is no bundle, or one that was not begun.
   */
  get told(): string {
    const { blobs, manifests, files, tags } = this.result
    const isAny = [blobs, manifests, files, tags].some(({ taken, there }) => taken + there > 0)
    if (this.#begun === undefined) return ''
    if (!isAny) return 'Nothing of it was taken.'
    const { index, files_folder } = this.#begun
    return [
      this.#toldOfImages(index),
      files_folder ? this.#toldOfFiles(index, files_folder) : '',
      `Of its blobs ${blobs.taken + blobs.there} of ${index.blobs.length} are stored, of its manifests ${this.#manifests(index)} of ${index.manifests.length}.`,
      'Once the reason is gone, run the same command again: it goes on, and what is stored is not sent again.',
    ]
      .filter((sentence) => sentence !== '')
      .join(' ')
  }

  #toldOfImages({ images }: BundleIndex): string {
    const references = images.flatMap(({ repository, digest, tags }) =>
      tags.length > 0 ? tags.map((tag) => `${repository}:${tag}`) : [`${repository}@${digest}`],
    )
    if (references.length === 0) return ''
    const [inPlace, others] = parted(references, this.#references)
    return `Images in place: ${namesIn(inPlace)}. Not in place, and as they were before: ${namesIn(others)}.`
  }

  #toldOfFiles({ files }: BundleIndex, folder: string): string {
    if (files.length === 0) return ''
    const names = files.map(({ name }) => name)
    const [inPlace, others] = parted(names, this.#files)
    return `Files in place in ${folder}: ${namesIn(inPlace)}. Not in place: ${namesIn(others)}.`
  }

  /** Whole ones: all repositories that the bundle puts them into have them. */
  #manifests({ manifests }: BundleIndex): number {
    return manifests.filter(({ digest, repositories }) =>
      repositories.every((repository) => this.#references.has(`${repository}@${digest}`)),
    ).length
  }
}

const parted = (names: readonly string[], done: ReadonlySet<string>): [string[], string[]] => [
  names.filter((name) => done.has(name)),
  names.filter((name) => !done.has(name)),
]

function namesIn(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const more = names.length - NAMES_LIMIT
  return `${names.slice(0, NAMES_LIMIT).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
