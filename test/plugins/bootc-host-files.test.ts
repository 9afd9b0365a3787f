/** What bootc brings to an installed host beside the container: keys, and how upgrades come through the mirror. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ACCESS, type TaskSetting } from '../../appliance/plugin-testing/task-on-paper.ts'
import { named, nodeWith, OURS, ran, SECRET, told } from './bootc-rig.ts'

const APPLIANCE: TaskSetting = { agentSteps: OURS, values: { install: 'appliance' } }

describe('files of an installed host', () => {
  const filesOf = async (setting: TaskSetting) => {
    const { args } = await told('bootc_finish', { ...APPLIANCE, ...setting })
    return args.files as { path: string; content: string; mode: number }[]
  }

  it("are root's keys, several of them, as bootc itself would write them", async () => {
    const bootc_authorized_keys = 'ssh-ed25519 AAAA alice\r\n\nssh-rsa BBBB bob\n'

    const files = await filesOf({
      ...nodeWith({ bootc_authorized_keys }),
      values: { install: 'appliance', day2: false },
    })

    const keys = Buffer.from('ssh-ed25519 AAAA alice\nssh-rsa BBBB bob\n').toString('base64')
    assert.deepEqual(files, [
      {
        path: '/etc/tmpfiles.d/bootc-root-ssh.conf',
        content: `f~ /var/roothome/.ssh/authorized_keys 600 root root - ${keys}\n`,
        mode: 0o644,
      },
    ])
  })

  it('have the mirror asked before the upstream, with the CA, and no secret where there is none', async () => {
    const files = await filesOf(nodeWith())

    assert.deepEqual(files, [
      {
        path: '/etc/containers/registries.conf.d/50-rackstrap.conf',
        content: `[[registry]]
prefix = "quay.example/org/app"
location = "quay.example/org/app"

[[registry.mirror]]
location = "172.22.0.1:5000/quay.example/org/app"
insecure = false
`,
        mode: 0o644,
      },
      { path: '/etc/containers/certs.d/172.22.0.1:5000/ca.crt', content: ACCESS.ca, mode: 0o644 },
    ])
  })

  it("have the node's pull secret for its image alone, upstream and in the mirror, for root alone", async () => {
    const files = await filesOf(nodeWith({ image_pull_secret: SECRET }))

    assert.deepEqual(files.at(-1), {
      path: '/etc/ostree/auth.json',
      content: `{
  "auths": {
    "quay.example/org/app": {
      "auth": "${SECRET}"
    },
    "172.22.0.1:5000/quay.example/org/app": {
      "auth": "${SECRET}"
    }
  }
}
`,
      mode: 0o600,
    })
  })

  it('have no ticket of the deploy', async () => {
    const { calls } = await ran('bootc_finish', { ...nodeWith(), ...APPLIANCE })

    assert.deepEqual(named(calls, 'registry.access')?.[1], { for: 'host' })
  })
})
