/** Boot records that an older version left on the disk: without a key for files, and without the number of a boot. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { filesKeyOf, giveFilesKey } from '../../../appliance/conductor/boot/files-key.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { newPort } from '../../../appliance/records/kinds/port.ts'
import { seal } from '../../../appliance/records/storage/document.ts'
import type { Store } from '../../../appliance/records/store.ts'
import { someNode, stateFolder } from '../records/state-folder.ts'
import { imagesOnPaper, MAC, startTrial } from './trial.ts'

const MACHINE = '192.0.2.20'
const NEIGHBOUR = '192.0.2.66'
const checksum = { algorithm: 'sha256', value: 'a3'.repeat(32) }
const KERNEL = { name: 'kernel', href_secret: '', field: 'kernel', checksum }
const INSTANCE = { kind: 'kernel', kernel: KERNEL, ramdisks: [], parameters: '' }

/** The records are in the form of the version before keys and numbers. */
async function upgraded(t: TestContext, fields: Partial<Node>, boot: object) {
  const state_path = stateFolder(t)
  const node = someNode({ driver: 'fake-hardware', ...fields })
  const port = newPort({ address: MAC, node_uuid: node.uuid })
  const { uuid, created_at } = node
  const old = { uuid, created_at, updated_at: null, node_uuid: uuid, texts_secret: {}, files_secret: [], ...boot }
  const all = { nodes: node, ports: port, boots: old } as const
  for (const [kind, record] of Object.entries(all)) {
    mkdirSync(join(state_path, kind), { recursive: true })
    const document = { seq: 1, created_seq: 1, kind: kind as keyof typeof all, uuid: record.uuid, record }
    writeFileSync(join(state_path, kind, `${record.uuid}.json`), seal(document))
  }
  let store: Store | undefined
  const images = imagesOnPaper({ fileUrl: (name) => `/${store ? filesKeyOf({ store }, uuid) : ''}/${name}` })
  const trial = await startTrial(t, {
    ...{ state_path, images, ini: '[api]\ncheck_boot_number = True\ncheck_machine_address = True\n' },
    isLeased: async (_mac, address) => address === MACHINE,
  })
  store = trial.store
  return { trial, uuid }
}

describe('instance that an older version began', () => {
  it('boots after the upgrade from addresses that have a key', async (t) => {
    const { trial, uuid } = await upgraded(t, { provision_state: 'active' }, { agent: false, instance: INSTANCE })

    const boot = await trial.conductor.bootAsked(MAC, MACHINE)

    assert.equal(boot.kind, 'kernel')
    const [, key = ''] = /^\/(~[\w-]{32})\/kernel$/.exec(boot.kind === 'kernel' ? boot.kernel_url : '') ?? []
    assert.equal(await trial.conductor.mayFetch(uuid, MACHINE, key), true)
    for (const [address, given] of [
      [NEIGHBOUR, key],
      [MACHINE, ''],
    ] as const)
      assert.equal(await trial.conductor.mayFetch(uuid, address, given), false)
  })
})

describe('deploy that an older version began', () => {
  it('has its files without a key, at the address of its machine alone, until they have one', async (t) => {
    const { trial, uuid } = await upgraded(t, { provision_state: 'wait call-back' }, { agent: true, instance: null })
    const { conductor, store } = trial

    assert.equal(await conductor.mayFetch(uuid, MACHINE, ''), true)
    assert.equal(await conductor.mayFetch(uuid, NEIGHBOUR, ''), false)
    await giveFilesKey({ store }, uuid)
    assert.equal(await conductor.mayFetch(uuid, MACHINE, ''), false)
  })

  it('does not open the files of a boot that this version began', async (t) => {
    const { trial, uuid } = await upgraded(t, { provision_state: 'wait call-back' }, { agent: true, instance: null })

    await trial.store.boots.update(uuid, { window: null })

    assert.equal(await trial.conductor.mayFetch(uuid, MACHINE, ''), false)
  })
})
