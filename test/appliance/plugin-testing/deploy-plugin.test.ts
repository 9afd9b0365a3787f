/**
 * Proves the suite for deploy plugins: a plugin without fault passes, and each check finds the fault that it is there
 * for.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DeployPlugin, Step } from '../../../appliance/plugin-api/index.ts'
import { CHECKS, testDeployPlugin } from '../../../appliance/plugin-testing/deploy-plugin.ts'
import {
  type Check,
  createLoader,
  type Given,
  givenFor,
  type Loader,
} from '../../../appliance/plugin-testing/plugin-checks/given.ts'
import { FOLDER_FAULTS, OBJECT_FAULTS } from './fixtures/faults.ts'

const GOOD = {
  folder: join(import.meta.dirname, 'fixtures/good'),
  name: 'on-paper',
  setting: { node: { instance_info: { text: 'hello' } } },
  refused: { 'a node without text': { node: {} } },
}
/** For faults that hang. */
const IMPATIENT_MS = 100

testDeployPlugin(() => GOOD)

describe('the suite for deploy plugins', () => {
  let loader: Loader
  let good: Given

  before(async () => {
    loader = await createLoader(GOOD)
    good = await givenFor(GOOD, loader)
  })
  after(() => loader[Symbol.asyncDispose]())

  const check = (sentence: keyof typeof CHECKS): Check => CHECKS[sentence]

  for (const { sentence, fault, change, problems } of OBJECT_FAULTS) {
    it(`finds ${fault}`, async () => {
      const steps: DeployPlugin['deploySteps'] = (kit) => good.plugin.deploySteps(kit)
      const ask = (part: Partial<Step>) => (kit: Parameters<typeof steps>[0]) =>
        steps(kit).map((step) => (step.step === 'ask_installer' ? { ...step, ...part } : step))
      const plugin: DeployPlugin = { ...good.plugin, ...change({ steps, ask }) }

      const found = await check(sentence)({
        ...good,
        plugin,
        afterRestart: async () => plugin,
        deadline_ms: IMPATIENT_MS,
      })

      assert.deepEqual(found, problems)
    })
  }

  for (const { sentence, fault, file, content, problems } of FOLDER_FAULTS) {
    it(`finds ${fault}`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'faulty-plugin-'))
      t.after(() => rmSync(folder, { recursive: true }))
      cpSync(GOOD.folder, folder, { recursive: true })
      if (content === undefined) rmSync(join(folder, file))
      else writeFileSync(join(folder, file), content)

      const found = await check(sentence)({ ...good, folder })

      assert.deepEqual(found, problems)
    })
  }

  it('has a fault for every check', () => {
    const proven = new Set<string>([...OBJECT_FAULTS, ...FOLDER_FAULTS].map(({ sentence }) => sentence))

    assert.deepEqual(
      Object.keys(CHECKS).filter((sentence) => !proven.has(sentence)),
      [],
    )
  })

  it('says why a plugin cannot be loaded', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'faulty-plugin-'))
    t.after(() => rmSync(folder, { recursive: true }))
    cpSync(GOOD.folder, folder, { recursive: true })
    writeFileSync(join(folder, 'index.ts'), "import 'hono'\nexport default {}\n")
    await using broken = await createLoader({ ...GOOD, folder })

    await assert.rejects(broken.load(), /^Error: plugin .*index\.ts cannot be loaded: Cannot find package 'hono'/)
  })
})
