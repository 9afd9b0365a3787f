/** Folders with plugins in them, good and bad, written for one test. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export function pluginPath(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rackstrap-plugins-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const manifestOf = (name: string, change: Record<string, unknown> = {}) => ({
  name: `a-plugin-${name}`,
  type: 'module',
  exports: './index.ts',
  appliance: { kind: 'deploy', name, apiVersion: '1' },
  ...change,
})

export const codeOf = (name: string) =>
  `export default { apiVersion: '1', name: '${name}', options: {}, usesAgent: false, async validate() {}, deploySteps: () => [] }\n`

/** @returns the plugin's folder */
export function layPlugin(path: string, name: string, files: { manifest?: unknown; code?: string } = {}): string {
  const folder = join(path, name)
  const { manifest = manifestOf(name), code = codeOf(name) } = files
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
  writeFileSync(join(folder, 'index.ts'), code)
  return folder
}
