/**
 * Bundles carry images and files over an air gap: what the command line uses of them. A registry that serves reads none
 * of this code.
 */
export { isBundle, parseNaming } from './bundle/archive.ts'
export { withRegistry } from './bundle/connect.ts'
export { planBundle, sourceOf } from './bundle/export.ts'
export { filesIn, findFiles } from './bundle/files.ts'
export { BundleError, type BundleIndex, sizeOfBundle } from './bundle/format.ts'
export { importArchive, importBundle } from './bundle/import.ts'
export { readKnown, takeInventory } from './bundle/known.ts'
export { type OnProgress, readBundle } from './bundle/read.ts'
export { saveBundle } from './bundle/save.ts'
export { type ImportResult, Taken } from './bundle/taken.ts'
export { bundleBytes } from './bundle/write.ts'
export { parsePlatform } from './oci/platforms.ts'
