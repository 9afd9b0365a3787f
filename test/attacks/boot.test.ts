import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { publish } from '../../appliance/conductor/boot/published.ts'
import { endProcedureBoot } from '../../appliance/conductor/boot/record.ts'
import { newPort } from '../../appliance/records/kinds/port.ts'
import { MAC } from '../appliance/conductor/trial.ts'
import { MACHINE, NEIGHBOUR, type RackSide, startRackSide } from './rack-side.ts'
import { startVictim } from './victim.ts'

const SCRIPT = `/boot/${MAC.replaceAll(':', '-')}`
const LOOKUP = `/v1/lookup?addresses=${MAC}`
const MACHINE_LATER = '127.0.0.21'
const OTHER_MAC = '52:54:00:66:66:66'
const SECOND_MAC = '52:54:00:12:34:57'

/** dnsmasq 2.90's own form, with a line for IPv6. */
function lease(state_path: string, ...leases: (readonly [mac: string, address: string])[]): void {
  mkdirSync(join(state_path, 'dnsmasq'), { recursive: true })
  const lines = leases.map(([mac, address]) => `1796062000 ${mac} ${address} * 01:${mac}`)
  const duid = 'duid 00:01:00:01:2f:6a:3b:1c:52:54:00:00:00:01'
  writeFileSync(join(state_path, 'dnsmasq/leases'), `${[...lines, duid].join('\n')}\n`)
}

/** A node whose machine was started, and is to boot the agent. */
async function started(t: TestContext, dhcp: 'ours' | 'another') {
  const side = await startRackSide(t, dhcp)
  if (dhcp === 'ours') lease(side.state_path, [MAC, MACHINE], [OTHER_MAC, NEIGHBOUR])
  const { uuid } = await side.trial.createNode({ name: 'secret-name' })
  await side.trial.conductor.provision(uuid, { target: 'active' })
  await side.trial.untilState(uuid, 'wait call-back')
  return { ...side, uuid }
}
type Started = RackSide & { uuid: string }

async function numberOf({ ask }: RackSide): Promise<string> {
  const { text } = await ask(MACHINE, SCRIPT)
  const [, path] = /ipa-api-url=http:\/\/[\d.:]+(\/agent\/~[\w-]{32}) /.exec(text) ?? []
  assert.ok(path, `the machine was not given its script, but\n${text}`)
  return path
}

async function lookedUp(side: Started): Promise<{ number: string; token: string }> {
  const number = await numberOf(side)
  const { status, text } = await side.ask(MACHINE, `${number}${LOOKUP}`)
  assert.equal(status, 200, text)
  return { number, token: JSON.parse(text).config.agent_token }
}

const heartbeat = (agent_token: string, callback_url: string) => ({
  agent_token,
  callback_url,
  agent_version: '13.0.0',
})

/** What anybody gets who asks for a network card that no port has. */
async function unknownScript({ ask }: RackSide): Promise<string> {
  const { text } = await ask(NEIGHBOUR, SCRIPT.replace('56', '57'))
  return text.replaceAll(MAC.replace('56', '57'), MAC)
}

const nothingOf = ({ uuid }: Started, text: string) =>
  assert.doesNotMatch(text, new RegExp(`${uuid}|secret-name|~|kernel `))

function warnings({ trial, uuid }: Started): string[] {
  const told = trial.lines.filter(({ message }) => message === 'stranger refused').map(({ reason }) => String(reason))
  assert.equal(trial.node(uuid).driver_internal_info.refused_strangers?.last, told.at(-1))
  assert.equal(trial.node(uuid).last_error, null)
  assert.ok(trial.conductor.problemOfStrangers()?.endsWith(told.at(-1) ?? 'nothing was told'))
  return told
}

async function served(side: Started) {
  writeFileSync(join(side.store, 'kernel'), 'licensed content')
  const given = { node_uuid: side.uuid, field: 'kernel', signal: AbortSignal.timeout(10_000), progress() {} }
  const { url, name } = await side.images.file({ ...given, href: `file://${side.store}/kernel` })
  return { path: new URL(url).pathname, name }
}

describe('boot script', () => {
  it('is not given to a neighbour who asks first for the card of another, and is to its machine', async (t) => {
    const side = await started(t, 'ours')

    const stolen = await side.ask(NEIGHBOUR, SCRIPT)

    assert.equal(stolen.text, await unknownScript(side))
    nothingOf(side, stolen.text)
    assert.match(await numberOf(side), /^\/agent\/~/)
    assert.match(await numberOf(side), /^\/agent\/~/)
    assert.deepEqual(warnings(side), [
      `Boot script of ${MAC}, of node ${side.uuid}, was asked for from ${NEIGHBOUR}, which DHCP of this box has not ` +
        `given to ${MAC}: not given. If that was its machine, start it again: baremetal node reboot. If it is refused ` +
        'at each start, see [api] check_machine_address and check_boot_number.',
    ])
  })

  it('is not given to a neighbour who asks after the machine, where another DHCP server gives addresses', async (t) => {
    const side = await started(t, 'another')
    await numberOf(side)

    const stolen = await side.ask(NEIGHBOUR, SCRIPT)

    assert.equal(stolen.text, await unknownScript(side))
    assert.match(String(warnings(side)[0]), /after 127\.0\.0\.20 had asked first in this boot: not given/)
  })

  it('is given for each card of its machine from one address, as iPXE asks, and not for the card of another', async (t) => {
    const side = await started(t, 'ours')
    await side.trial.store.ports.create(newPort({ address: SECOND_MAC, node_uuid: side.uuid }))

    const second = await side.ask(MACHINE, SCRIPT.replace('56', '57'))
    const first = await side.ask(MACHINE, SCRIPT)
    const stolen = await side.ask(NEIGHBOUR, SCRIPT.replace('56', '57'))

    for (const { text } of [first, second]) assert.match(text, /ipa-api-url=/)
    nothingOf(side, stolen.text)
    assert.equal(warnings(side).length, 1)
  })

  it('is given again when the lease has run out while iPXE loads, and to nobody else', async (t) => {
    const side = await started(t, 'ours')
    const number = await numberOf(side)
    lease(side.state_path, [OTHER_MAC, NEIGHBOUR])

    assert.equal(await numberOf(side), number)
    nothingOf(side, (await side.ask(NEIGHBOUR, SCRIPT)).text)
    nothingOf(side, (await side.ask(MACHINE_LATER, SCRIPT)).text)
    assert.equal(warnings(side).length, 2)
  })

  it('is given to nobody once the agent has looked itself up, nor while the machine is off', async (t) => {
    const side = await started(t, 'ours')
    await lookedUp(side)

    const after = await side.ask(MACHINE, SCRIPT)
    await side.trial.conductor.power(side.uuid, 'power off')
    await side.trial.untilLine('power changed', { power_state: 'power off' })
    const whileOff = await side.ask(MACHINE, SCRIPT)

    for (const { text } of [after, whileOff]) nothingOf(side, text)
    assert.equal(warnings(side).length, 2)
  })
})

describe('lookup', () => {
  it('before the machine asks, by its MAC, its uuid or a guessed number, gives what an unknown node gives', async (t) => {
    const side = await started(t, 'another')
    const unknown = await side.ask(NEIGHBOUR, LOOKUP.replace('56', '57'))

    for (const path of [LOOKUP, `/v1/lookup?node_uuid=${side.uuid}`, `/agent/~${'A'.repeat(32)}${LOOKUP}`]) {
      assert.deepEqual(await side.ask(NEIGHBOUR, path), unknown, path)
    }

    assert.equal(unknown.status, 404)
    const { token } = await lookedUp(side)
    assert.match(token, /^[\w-]{43}$/)
    assert.match(
      String(warnings(side)[0]),
      /^Lookup of node .* from 127\.0\.0\.66, without the number of this boot: not/,
    )
  })

  it('after the machine, with the very number, gives nothing; the machine itself gets six stars', async (t) => {
    const side = await started(t, 'ours')
    const { number } = await lookedUp(side)

    const stolen = await side.ask(NEIGHBOUR, `${number}${LOOKUP}`)
    const again = await side.ask(MACHINE, `${number}${LOOKUP}`)

    assert.equal(stolen.status, 404)
    assert.equal(JSON.parse(again.text).config.agent_token, '******')
    assert.match(String(warnings(side)[0]), /after its agent had looked itself up from 127\.0\.0\.20/)
  })

  it('of a machine that nobody started gives nothing, whoever asks', async (t) => {
    const side = await startRackSide(t, 'another')
    const { uuid } = await side.trial.createNode({ provision_state: 'wait call-back' })

    assert.equal((await side.ask(MACHINE, LOOKUP)).status, 404)
    assert.equal(side.trial.node(uuid).driver_internal_info.agent_secret_token, undefined)
  })

  it('with the number of the boot before gives nothing', async (t) => {
    const side = await started(t, 'ours')
    const old = await numberOf(side)
    await side.trial.conductor.power(side.uuid, 'rebooting')
    await side.trial.until('another boot', () => {
      const secret = side.trial.store.boots.get(side.uuid)?.window?.number_secret
      return secret && !old.endsWith(secret)
    })
    const fresh = await numberOf(side)

    assert.notEqual(fresh, old)
    assert.equal((await side.ask(NEIGHBOUR, `${old}${LOOKUP}`)).status, 404)
    assert.equal((await side.ask(MACHINE, `${fresh}${LOOKUP}`)).status, 200)
  })
})

describe('heartbeat', () => {
  it('with the token, replayed from elsewhere, is refused', async (t) => {
    const side = await started(t, 'ours')
    const { number, token } = await lookedUp(side)
    const path = `${number}/v1/heartbeat/${side.uuid}`

    const replayed = await side.ask(NEIGHBOUR, path, heartbeat(token, `https://${MACHINE}:9999`))
    const moved = await side.ask(NEIGHBOUR, path, heartbeat(token, `https://${NEIGHBOUR}:9999`))

    assert.deepEqual([replayed.status, moved.status], [400, 400])
    assert.match(moved.text, /The heartbeat came from 127\.0\.0\.66, and the lookup of its boot from 127\.0\.0\.20/)
    assert.equal(side.trial.node(side.uuid).driver_internal_info.agent_url, undefined)
    assert.equal(warnings(side).length, 2)
  })

  it('is taken from another card of the machine, at its own address, and from nowhere else', async (t) => {
    const side = await started(t, 'ours')
    await side.trial.store.ports.create(newPort({ address: SECOND_MAC, node_uuid: side.uuid }))
    lease(side.state_path, [MAC, MACHINE], [SECOND_MAC, MACHINE_LATER], [OTHER_MAC, NEIGHBOUR])
    const { number, token } = await lookedUp(side)
    const beat = (from: string, host: string) =>
      side.ask(from, `${number}/v1/heartbeat/${side.uuid}`, heartbeat(token, `https://${host}:9999`))

    const toNeighbour = await beat(MACHINE_LATER, NEIGHBOUR)
    const fromNeighbour = await beat(NEIGHBOUR, NEIGHBOUR)
    const own = await beat(MACHINE_LATER, MACHINE_LATER)

    assert.deepEqual([toNeighbour.status, fromNeighbour.status, own.status], [400, 400, 202], own.text)
    assert.equal(side.trial.node(side.uuid).driver_internal_info.agent_url, `https://${MACHINE_LATER}:9999`)
  })

  it('cannot have the box connect to somebody else', async (t) => {
    const side = await started(t, 'ours')
    const { number, token } = await lookedUp(side)
    const victim = await startVictim(t)
    const hosts = ['127.0.0.1', '2130706433', '[::ffff:127.0.0.1]', 'localhost', '0x7f.1']

    for (const host of hosts) {
      const callback_url = `http://${host}:${victim.port}`
      const { status, text } = await side.ask(MACHINE, `${number}/v1/heartbeat/${side.uuid}`, {
        ...heartbeat(token, callback_url.replace('http:', 'https:')),
      })
      assert.equal(status, 400, text)
      assert.match(text, /agent's own address is expected/)
    }

    assert.equal(victim.connections, 0)
  })
})

describe('files for one machine', () => {
  it('go out under an address that is not told, to the machine alone', async (t) => {
    const side = await started(t, 'ours')
    await side.trial.store.boots.update(side.uuid, { files_secret: [{ path: '/etc/key', content: 'K' }] })
    const { text } = await side.ask(MACHINE, SCRIPT)
    const [, path = ''] = /(\/boot\/[\w-]+\/~[\w-]{32}\.cpio) /.exec(text) ?? []

    const guessed = await side.ask(MACHINE, `${SCRIPT}.cpio`)
    const stolen = await side.ask(NEIGHBOUR, path)
    const own = await side.ask(MACHINE, path)

    assert.deepEqual([guessed.status, stolen.status, own.status], [404, 404, 200])
  })

  it('such as a published text do not go out to a neighbour who knows where they are', async (t) => {
    const side = await started(t, 'ours')
    const parts = { store: side.trial.store, http_url: () => '' }
    const path = await publish(parts, side.uuid, 'ks.cfg', { text: 'rootpw x', until: 'deploy' })

    const stolen = await side.ask(NEIGHBOUR, path)
    const own = await side.ask(MACHINE, path)

    assert.equal(stolen.status, 404)
    assert.deepEqual(own, { status: 200, text: 'rootpw x' })
    assert.match(String(warnings(side)[0]), /^A file of node .* was asked for from 127\.0\.0\.66/)
  })
})

describe('image of a node', () => {
  it('has an address that nobody can guess, and goes to its machine alone', async (t) => {
    const side = await started(t, 'ours')
    const { path, name } = await served(side)
    const folder = path.split('/')[1]

    const guesses = [`/${folder}/${name}`, `/${folder}/~${'A'.repeat(32)}/${name}`, `/${folder}/~/${name}`]
    for (const guess of guesses) assert.equal((await side.ask(MACHINE, guess)).status, 404, guess)
    const stolen = await side.ask(NEIGHBOUR, path)
    const own = await side.ask(MACHINE, path)

    assert.match(path, /^\/agent_images\/~[\w-]{32}\//)
    assert.equal(stolen.status, 404)
    assert.deepEqual(own, { status: 200, text: 'licensed content' })
  })

  it('goes to nobody after the deploy', async (t) => {
    const side = await started(t, 'ours')
    const { path } = await served(side)
    await side.trial.conductor.provision(side.uuid, { target: 'deleted' })
    await side.trial.untilState(side.uuid, 'available')

    assert.equal((await side.ask(MACHINE, path)).status, 404)
  })

  it('goes to the agent alone where another DHCP server gives addresses', async (t) => {
    const side = await started(t, 'another')
    const { path } = await served(side)
    await lookedUp(side)

    const stolen = await side.ask(NEIGHBOUR, path)
    const own = await side.ask(MACHINE, path)

    assert.deepEqual([stolen.status, own.status], [404, 200])
  })
})

describe('instance that boots from this box', () => {
  it('has its script and files at each boot, from each address of its machine, and its neighbour has none', async (t) => {
    const side = await started(t, 'ours')
    const { name } = await served(side)
    const checksum = { algorithm: 'sha256', value: 'a3'.repeat(32) }
    const kernel = { name, href_secret: '', field: 'kernel', checksum }
    const instance = { kind: 'kernel', kernel, ramdisks: [], parameters: '' } as const
    const { store } = side.trial
    await store.boots.update(side.uuid, { agent: false, instance })
    await endProcedureBoot({ store }, side.uuid)
    await store.nodes.update(side.uuid, { provision_state: 'active', wait: null })
    const { pathname } = new URL(side.images.fileUrl(name))
    const both = (from: string) => Promise.all([side.ask(from, SCRIPT), side.ask(from, pathname)])

    const first = await both(MACHINE)
    lease(side.state_path, [MAC, MACHINE_LATER], [OTHER_MAC, NEIGHBOUR])
    const second = await both(MACHINE_LATER)
    lease(side.state_path, [OTHER_MAC, NEIGHBOUR])
    const withoutLease = await side.ask(MACHINE_LATER, pathname)
    const stolen = await both(NEIGHBOUR)

    for (const [script, file] of [first, second]) {
      assert.match(script.text, /boots the kernel of its instance/)
      assert.equal(file.status, 200)
    }
    assert.equal(withoutLease.status, 200)
    nothingOf(side, stolen[0].text)
    assert.equal(stolen[1].status, 404)
  })
})

describe('log', () => {
  it('has neither the number of a boot nor the address of a file in it', async (t) => {
    const side = await started(t, 'ours')
    const { number, token } = await lookedUp(side)
    await side.ask(MACHINE, `${number}/v1/heartbeat/${side.uuid}`, heartbeat(token, `https://${NEIGHBOUR}:9999`))
    await side.ask(NEIGHBOUR, `${number}/v1/nodes`)

    const text = JSON.stringify(side.trial.lines)
    assert.match(text, /agent looked up/)
    assert.ok(!text.includes(number.slice('/agent/'.length)))
    assert.ok(!text.includes(token))
  })
})
