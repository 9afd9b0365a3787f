/** Splits a plan: what the other side lacks, and what it is expected to have. */
import type { Digest } from '../oci/digest.ts'
import type { BundleFile, BundleIndex, Need } from './format.ts'
import { fileKey, type Known } from './known.ts'
import type { Plan } from './plan.ts'

type Carried = Pick<BundleIndex, 'images' | 'blobs' | 'manifests' | 'files' | 'needs'>

export function differenceOf(plan: Plan, files: readonly BundleFile[], known: Known): Carried {
  const isKnown = (repository: string, digest: Digest) => known.manifests.has(`${repository}@${digest}`)
  const images = plan.images.filter(
    ({ repository, digest, tags }) =>
      !isKnown(repository, digest) || tags.some((tag) => !known.tags.has(`${repository}:${tag}@${digest}`)),
  )
  // A manifest that only gets another tag is carried again: pushing it sets the tag.
  const named = new Set(images.map(({ digest }) => digest))
  const carried = plan.manifests.filter(
    ({ digest, repositories }) => named.has(digest) || repositories.some((one) => !isKnown(one, digest)),
  )
  const manifests = carried.map(({ refersTo: _, ...manifest }) => manifest)
  const wanted = new Set(carried.flatMap(({ refersTo }) => refersTo))
  const here = new Set(manifests.map(({ digest }) => digest))
  const need =
    (kind: Need['kind']) =>
    ({ digest, repositories }: Omit<Need, 'kind'>): Need => ({ kind, digest, repositories })
  return {
    images,
    manifests,
    blobs: plan.blobs.filter(({ digest }) => !known.blobs.has(digest)),
    files: files.filter((file) => !known.files.has(fileKey(file))),
    needs: [
      ...plan.blobs.filter(({ digest }) => wanted.has(digest) && known.blobs.has(digest)).map(need('blob')),
      ...plan.manifests.filter(({ digest }) => wanted.has(digest) && !here.has(digest)).map(need('manifest')),
    ],
  }
}
