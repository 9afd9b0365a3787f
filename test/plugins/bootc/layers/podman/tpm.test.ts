import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { requireTpm2 } from '../../../../../plugins/bootc/layers/podman/steps/tpm.ts'
import { makeLayerMachine } from '../machine.ts'

async function machine(t: TestContext) {
  const made = await makeLayerMachine()
  t.after(() => made[Symbol.asyncDispose]())
  return made
}
const WANTED =
  "and bootc_tpm2_luks wants a TPM 2.0: switch it on in the firmware's setup, or unset bootc_tpm2_luks. Nothing was changed on its disk."

describe('a machine whose disk is to be encrypted', () => {
  it('has a TPM 2.0, which may take a moment to answer', async (t) => {
    const { write, agent } = await machine(t)

    const asked = requireTpm2(agent)
    await write('sys/class/tpm/tpm0/tpm_version_major', '2\n')

    await asked
  })

  it('is refused without one', async (t) => {
    const { agent } = await machine(t)

    await assert.rejects(requireTpm2(agent), { message: `This machine has no TPM that its kernel knows, ${WANTED}` })
  })

  it('is refused with an old one', async (t) => {
    const { agent, write } = await machine(t)
    await write('sys/class/tpm/tpm0/tpm_version_major', '1\n')

    await assert.rejects(requireTpm2(agent), { message: `This machine has a TPM of version 1.2 only, ${WANTED}` })
  })
})
