/** What is wrong with a plugin's folder, as far as can be seen without its author's own tests. Writes nothing. */
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { checkLayer } from '@appliance/pxe'
import { messageOf } from '../errors.ts'
import { type Manifest, PluginRefused, readManifest } from '../plugin-host/manifest.ts'
import { probe } from '../plugin-host/probe.ts'
import { requireTrust, trustedAccounts } from '../plugin-host/trust.ts'

const DEADLINE_S = 10

export type Finding = { what: string; problems: readonly string[] }
export type Checked = {
  manifest?: Manifest
  findings: readonly Finding[]
  /** The author's own, absolute. */
  tests: readonly string[]
}

/** One after the other: none is asked when one before found something. */
export async function checkPlugin(given: string): Promise<Checked> {
  const folder = resolve(given)
  const findings: Finding[] = []
  const found = async (what: string, look: () => Promise<readonly string[]>) => {
    const problems = await look().catch((error: unknown) => [messageOf(error)])
    findings.push({ what, problems })
    return problems.length === 0
  }
  let manifest: Manifest | undefined
  const isFine =
    (await found('manifest', async () => {
      manifest = await readManifest(folder)
      if (!manifest) throw new PluginRefused(`${folder} holds no package.json with "appliance" in it`)
      return []
    })) &&
    (await found('nobody else may write to it', async () => {
      await requireTrust(folder, trustedAccounts())
      return []
    })) &&
    (await found('loads, and has the shape of its kind', async () => {
      if (manifest) await probe(manifest, 'check', DEADLINE_S)
      return []
    })) &&
    (await found('layers', () => problemsOfLayers(folder)))
  if (!manifest || !isFine) return { ...(manifest && { manifest }), findings, tests: [] }
  const names = (await readdir(folder)).filter((name) => /\.test\.m?[jt]s$/.test(name)).sort()
  return { manifest, findings, tests: names.map((name) => join(folder, name)) }
}

async function problemsOfLayers(folder: string): Promise<string[]> {
  const entries = await readdir(join(folder, 'layers'), { withFileTypes: true }).catch(() => [])
  const checked = await Promise.allSettled(
    entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => checkLayer({ name, folder: join(folder, 'layers', name) })),
  )
  return checked.flatMap((one) => (one.status === 'rejected' ? [messageOf(one.reason)] : []))
}
