/**
 * What the appliance counts on from every deploy plugin. One suite, run over each of ours, and over a stranger's by
 * its author.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as description from './plugin-checks/description.ts'
import * as folder from './plugin-checks/folder.ts'
import {
  type Check,
  createLoader,
  type Given,
  givenFor,
  type Loader,
  type PluginUnderTest,
} from './plugin-checks/given.ts'
import * as life from './plugin-checks/life.ts'
import * as secrets from './plugin-checks/secrets.ts'
import * as steps from './plugin-checks/steps.ts'

export type { PluginUnderTest } from './plugin-checks/given.ts'

/** Each a sentence of the contract; deploy-plugin.test.ts proves that each can fail. */
export const CHECKS = {
  'imports nothing but the types of the contract and its own files': folder.importsOnlyTypes,
  'prints nothing, starts nothing and leaves no global when it is loaded': folder.loadsQuietly,
  'explains itself in a README': folder.hasReadme,
  'describes the same steps each time it is asked': description.describesTheSame,
  'names its steps in snake_case, each once': description.namesItsSteps,
  'gives its steps an order by priorities from 0 to 100': description.ordersItsSteps,
  'describes steps that can be run, and their arguments in sentences': description.shapesItsSteps,
  'explains each option, with a default that is allowed': description.explainsItsOptions,
  'explains each property of a node in a sentence': description.explainsItsProperties,
  'says of any node whether it is its own, the same each time': description.saysWhetherItSupports,
  'names other deploy interfaces when it only chooses': description.namesItsChoices,
  'finds nothing wrong with a complete node, and only looks': life.validatesWithoutTouching,
  'refuses an incomplete node in a sentence': life.refusesInSentences,
  'bears anything in the fields of a node': life.bearsNonsense,
  'prepares twice, and cleans up twice, as well as once and in any order': life.preparesAndCleansUpAnyTime,
  'ends when the operation was called off': life.endsWhenAborted,
  'takes a node through its steps, with a restart of the appliance in each wait': steps.deploys,
  'fails when the machine tells of a failure': steps.failsWithTheMachine,
  'tells no secret on a command line, in a log or to an operator': secrets.keepsSecrets,
  'never says that a step is done when it was called off': steps.stopsWhenAborted,
} as const satisfies Record<string, Check>

/** Those that need no node with which a deploy would go well. */
const WITHOUT_NODE = [
  'imports nothing but the types of the contract and its own files',
  'prints nothing, starts nothing and leaves no global when it is loaded',
  'explains itself in a README',
  'describes the same steps each time it is asked',
  'names its steps in snake_case, each once',
  'gives its steps an order by priorities from 0 to 100',
  'describes steps that can be run, and their arguments in sentences',
  'explains each option, with a default that is allowed',
  'explains each property of a node in a sentence',
] as const satisfies readonly (keyof typeof CHECKS)[]

/** As far as a plugin can be tested without a test of its author's: each sentence, and what is wrong. */
export async function problemsWithoutNode(
  under: PluginUnderTest,
): Promise<readonly { what: string; problems: readonly string[] }[]> {
  await using loader = await createLoader(under)
  const given = await givenFor(under, loader)
  const found = []
  for (const what of WITHOUT_NODE) found.push({ what, problems: await CHECKS[what](given) })
  return found
}

/** @param make  called once; the folder is copied, never changed */
export function testDeployPlugin(make: () => PluginUnderTest): void {
  describe('conformance to DeployPlugin', () => {
    let loader: Loader
    let given: Given

    before(async () => {
      const under = make()
      loader = await createLoader(under)
      given = await givenFor(under, loader)
    })
    after(() => loader[Symbol.asyncDispose]())

    for (const [sentence, check] of Object.entries<Check>(CHECKS)) {
      it(sentence, async () => assert.deepEqual(await check(given), []))
    }
  })
}
