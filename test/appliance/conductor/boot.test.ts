import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openWindow } from '../../../appliance/conductor/boot/window.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { createBooting, MAC, startTrial } from './trial.ts'

const ON_ITS_WAY: Partial<Node> = { provision_state: 'wait call-back' }

describe('machine that asks on the network', () => {
  it('boots the agent while its node waits for it, with the parameters of the node', async (t) => {
    const trial = await startTrial(t, { ini: '[DEFAULT]\ndebug = True\n' })
    const { uuid } = await createBooting(trial, {
      ...ON_ITS_WAY,
      name: 'n1',
      driver_info: { kernel_append_params: '%default% console=ttyS0 dyndbg="file a.c +p"' },
    })

    assert.deepEqual(trial.conductor.machineBootOf(MAC), {
      kind: 'agent',
      node: uuid,
      name: 'n1',
      parameters: [
        ['ipa-api-url', 'http://172.22.0.1:6385'],
        ['ipa-debug', '1'],
        ['nofb', ''],
        ['vga', 'normal'],
        ['console', 'ttyS0'],
        ['dyndbg', 'file a.c +p'],
      ],
      layers: [],
    })
  })

  it('is handed the files that its deploy keeps for it until its agent has called, and then nobody is', async (t) => {
    const trial = await startTrial(t)
    const files = [{ path: '/etc/a', content: 'secret' }]
    const { uuid } = await createBooting(trial, ON_ITS_WAY, { files_secret: files })

    const before = trial.conductor.machineBootOf(MAC)
    await trial.store.nodes.update(uuid, { driver_internal_info: { agent_url: 'https://172.22.0.9:9999' } })
    const after = trial.conductor.machineBootOf(MAC)

    assert.deepEqual(before.kind === 'agent' && before.files, files)
    assert.deepEqual(after.kind === 'agent' && after.files, undefined)
  })

  it('is told the callback URL of the configuration, when there is one', async (t) => {
    const trial = await startTrial(t, { ini: '[deploy]\nexternal_callback_url = https://rack.example/api/\n' })
    await createBooting(trial, ON_ITS_WAY)

    const boot = trial.conductor.machineBootOf(MAC)

    assert.deepEqual(boot.kind === 'agent' && boot.parameters[0], ['ipa-api-url', 'https://rack.example/api'])
  })

  it('is handed a parameter that no script can carry as it is, so that its screen tells why', async (t) => {
    const trial = await startTrial(t)
    await createBooting(trial, { ...ON_ITS_WAY, instance_info: { kernel_append_params: 'nofb\nshell' } })

    const boot = trial.conductor.machineBootOf(MAC)

    assert.deepEqual(boot.kind === 'agent' && boot.parameters.at(-1), ['nofb\nshell', ''])
  })

  it('is given the number of the boot that is open when its DHCP lease has been looked at', async (t) => {
    const trial = await startTrial(t, {
      ini: '[api]\ncheck_boot_number = True\ncheck_machine_address = True\n',
      isLeased: async () => {
        await openWindow({ store: trial.store }, uuid)
        return true
      },
    })
    const { uuid } = await createBooting(trial, ON_ITS_WAY)
    await openWindow({ store: trial.store }, uuid)
    const before = trial.store.boots.get(uuid)?.window?.number_secret

    const boot = await trial.conductor.bootAsked(MAC, '192.0.2.20')

    const now = trial.store.boots.get(uuid)?.window?.number_secret
    assert.notEqual(now, before)
    assert.deepEqual(boot.kind === 'agent' && boot.parameters[0], [
      'ipa-api-url',
      `http://172.22.0.1:6385/agent/${now}`,
    ])
  })

  it('is unknown when no port has its MAC', async (t) => {
    const trial = await startTrial(t)

    assert.deepEqual(trial.conductor.machineBootOf(MAC), { kind: 'unknown', mac: MAC })
  })

  it('is sent to its disk by a port that is not to boot', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await createBooting(trial, ON_ITS_WAY)
    const port = trial.store.ports.by('address', MAC)
    assert.ok(port)
    await trial.store.ports.update(port.uuid, { pxe_enabled: false })

    assert.deepEqual(trial.conductor.machineBootOf(MAC), {
      kind: 'disk',
      node: uuid,
      name: uuid,
      why: `its port ${MAC} has pxe_enabled false.`,
    })
  })

  const cases: [string, Partial<Node>, string][] = [
    ['active', { provision_state: 'active' }, 'it is active, so its operating system is there.'],
    [
      'available',
      { provision_state: 'available' },
      'it is available: nothing is to be deployed. To deploy it: baremetal node deploy.',
    ],
    ['written', { provision_state: 'deploying' }, 'it is being deployed, and is not to boot the deploy ramdisk now.'],
    [
      'failed',
      { provision_state: 'deploy failed', last_error: 'The disk is too small.' },
      'it is "deploy failed", and nothing is to be deployed. The disk is too small.',
    ],
    ['enrolled', { provision_state: 'enroll' }, 'it is "enroll": nothing is to be deployed.'],
    [
      'gone on, though it was to boot the agent once',
      { provision_state: 'active' },
      'it is active, so its operating system is there.',
    ],
  ]
  for (const [what, fields, why] of cases) {
    it(`is sent to its disk when its node is ${what}, and told why`, async (t) => {
      const trial = await startTrial(t)
      const { uuid } = what.startsWith('gone on') ? await createBooting(trial, fields) : await trial.createNode(fields)

      assert.deepEqual(trial.conductor.machineBootOf(MAC), { kind: 'disk', node: uuid, name: uuid, why })
    })
  }
})
