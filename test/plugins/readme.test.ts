/** The example of plugins/README.md: what a stranger copies from there passes the suite that it is told to run. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { DeployPlugin } from '../../appliance/plugin-api/index.ts'
import { CHECKS, testDeployPlugin } from '../conformance/deploy-plugin.ts'
import { createLoader } from '../conformance/plugin-checks/given.ts'
import { createTaskOnPaper, IMAGE_FIELDS, NODE_UUID } from '../conformance/task-on-paper.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../plugins/README.md'), 'utf8')
const instance_info = IMAGE_FIELDS

/** The first block of this language. */
function block(language: string): string {
  const [, text] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(PAGE) ?? []
  assert.ok(text, `plugins/README.md has no block of ${language}`)
  return text
}

describe('the example of plugins/README.md', () => {
  const place = mkdtempSync(join(tmpdir(), 'example-'))
  const folder = join(place, 'hello')
  const under = {
    folder,
    name: 'hello',
    setting: { node: { instance_info } },
    refused: { 'a volume of 12': { node: { instance_info, driver_info: { hello_volume: 12 } } } },
  }
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), block('json'))
  writeFileSync(join(folder, 'index.ts'), block('ts'))
  writeFileSync(join(folder, 'README.md'), 'Says hello.\n')
  after(() => rmSync(place, { recursive: true }))

  testDeployPlugin(() => under)

  it('refuses what it says it refuses', async () => {
    await using loader = await createLoader(under)
    const plugin: DeployPlugin = await loader.load()
    const { task } = createTaskOnPaper({ options: plugin.options, ...under.refused['a volume of 12'] })

    await assert.rejects(plugin.validate(task), {
      message: `driver_info/hello_volume of node ${NODE_UUID} is 12: expected a number from 1 to 11.`,
    })
  })

  it('tells how many sentences the suite has', () => {
    assert.match(PAGE, new RegExp(`: ${Object.keys(CHECKS).length} sentences`))
  })
})
