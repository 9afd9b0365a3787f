/**
 * A rack as its operator keeps it with the `baremetal` client: each command at least once, in an order that makes
 * sense. Nodes are records (fake-hardware). What a command shows is asserted where the next one does not.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The words of a command; what stands in `${}` is one word. Resolves to what it wrote. Rejects when it fails. */
export type Baremetal = (text: TemplateStringsArray, ...words: string[]) => Promise<string>

const CLASS = 'shelf'
const BIOS = { interface: 'bios', step: 'factory_reset', args: {} }

export async function scenario(b: Baremetal): Promise<void> {
  await chassisAndDrivers(b)
  const node = await enrolled(b)
  await portsAndVolumes(b, node)
  await belowTheNode(b, node)
  await plans(b)
  await life(b, node)
  await allocations(b)
  await fromFile(b)
  await b`node delete bay-1`
}

const shown = async (b: Baremetal, what: string, name: string, column: string) =>
  (await b`${what} show ${name} -f value -c ${column}`).trim()
const stateOf = async (b: Baremetal, node: string) => (await b`node show ${node} -f value -c provision_state`).trim()
const uuidOf = (shown: string) => (JSON.parse(shown) as { uuid: string }).uuid

async function chassisAndDrivers(b: Baremetal): Promise<void> {
  const chassis = uuidOf(await b`chassis create --description ${'left of the door'} --extra row=4 -f json`)
  await b`chassis set ${chassis} --description ${'right of the door'} --extra row=5`
  await b`chassis unset ${chassis} --extra row`
  assert.match(await b`chassis show ${chassis}`, /right of the door/)
  assert.match(await b`chassis list -f value`, new RegExp(chassis))
  await b`chassis delete ${chassis}`

  assert.match(await b`driver list -f value`, /^fake-hardware /m)
  assert.match(await b`driver show fake-hardware`, /default_deploy_interface/)
  assert.match(await b`driver property list fake-hardware -f value`, /\w/)
  assert.match(await b`driver raid property list fake-hardware -f value`, /^raid_level /m)
  await b`driver passthru list fake-hardware`
  await assert.rejects(b`driver passthru call fake-hardware nothing`, /nothing/)
  const [host = ''] = (await b`conductor list -f value -c Hostname`).trim().split('\n')
  assert.match(await b`conductor show ${host}`, /fake-hardware/)
}

async function enrolled(b: Baremetal): Promise<string> {
  const made =
    await b`node create --driver fake-hardware --name bay-1 --resource-class ${CLASS} --property cpus=8 -f json`
  await b`node create --driver fake-hardware --name bay-1-dpu --parent-node bay-1`
  await b`node set bay-1 --extra asset=4711 --property memory_mb=65536 --description ${'top of the rack'} --shard left`
  await b`node unset bay-1 --extra asset`
  assert.match(await b`node list -f value --long`, /bay-1/)
  assert.match(await b`node children list bay-1 -f value`, /^\S+/)
  assert.match(await b`shard list -f value`, /^left 1$/m)
  await b`node delete bay-1-dpu`
  await b`node trait add bay-1 CUSTOM_GPU CUSTOM_FAST`
  await b`node trait remove bay-1 CUSTOM_FAST`
  await b`node add trait bay-1 CUSTOM_OLD`
  await b`node remove trait bay-1 CUSTOM_OLD`
  assert.equal((await b`node trait list bay-1 -f value`).trim(), 'CUSTOM_GPU')
  await b`node maintenance set bay-1 --reason dust`
  assert.equal(await shownNode(b, 'maintenance_reason'), 'dust')
  await b`node maintenance unset bay-1`
  return uuidOf(made)
}
const shownNode = async (b: Baremetal, column: string) => (await b`node show bay-1 -f value -c ${column}`).trim()

async function portsAndVolumes(b: Baremetal, node: string): Promise<void> {
  const group = uuidOf(await b`port group create --node ${node} --name bond0 --mode 802.3ad -f json`)
  await b`port group set bond0 --property miimon=100`
  await b`port group unset bond0 --property miimon`
  assert.match(await b`port group show bond0`, /802\.3ad/)
  assert.match(await b`port group list -f value --node ${node}`, /bond0/)
  const port = uuidOf(await b`port create --node ${node} 52:54:00:00:be:01 --port-group ${group} -f json`)
  await b`port unset ${port} --port-group`
  await b`port set ${port} --extra rail=a --physical-network net1`
  assert.match(await b`port show ${port}`, /52:54:00:00:be:01/)
  assert.match(await b`port list -f value --node ${node}`, new RegExp(port))
  await b`node vif attach bay-1 cable`
  await b`node vif list bay-1`
  await b`node vif detach bay-1 cable`
  await b`port delete ${port}`
  await b`port group delete bond0`

  await b`node manage bay-1 --wait 60`
  await b`node power off bay-1`
  await poweredOff(b)
  const made = await b`volume connector create --node ${node} --type iqn --connector-id iqn.2026-11.example:bay -f json`
  const connector = uuidOf(made)
  await b`volume connector set ${connector} --extra path=a`
  await b`volume connector unset ${connector} --extra path`
  assert.match(await b`volume connector show ${connector}`, /iqn\.2026-11/)
  assert.match(await b`volume connector list -f value`, new RegExp(connector))
  await b`volume connector delete ${connector}`
  const disk = await b`volume target create --node ${node} --type iscsi --boot-index 0 --volume-id disk-1 -f json`
  const target = uuidOf(disk)
  await b`volume target set ${target} --property target_lun=1`
  await b`volume target unset ${target} --property target_lun`
  assert.match(await b`volume target show ${target}`, /disk-1/)
  assert.match(await b`volume target list -f value`, new RegExp(target))
  await b`volume target delete ${target}`
}

/** The power commands do not wait, and the client has no command that does. */
async function poweredOff(b: Baremetal): Promise<void> {
  await b`node power off bay-1 --power-timeout 30`.catch(() => '')
  assert.equal(await shownNode(b, 'power_state'), 'power off')
}

async function belowTheNode(b: Baremetal, node: string): Promise<void> {
  assert.match(await b`node validate bay-1 -f value`, /^power True/m)
  await b`node bios setting list bay-1`
  await assert.rejects(b`node bios setting show bay-1 nothing`, /nothing/)
  await b`node firmware list bay-1`
  await b`node boot device set bay-1 pxe --persistent`
  assert.match(await b`node boot device show bay-1`, /pxe/)
  assert.match(await b`node boot device show bay-1 --supported`, /pxe/)
  assert.match(await b`node passthru list bay-1 -f value`, /second_method/)
  await b`node passthru call bay-1 second_method --arg bar=kazoo`
  await b`node console enable bay-1`
  await b`node console show bay-1`
  await b`node console disable bay-1`
  await b`node set bay-1 --target-raid-config ${'{"logical_disks": [{"size_gb": 100, "raid_level": "1"}]}'}`
  assert.match(await shownNode(b, 'target_raid_config'), /size_gb/)
  await b`node unset bay-1 --target-raid-config`
  assert.equal(node.length, 36)
}

async function plans(b: Baremetal): Promise<void> {
  const steps = JSON.stringify([{ ...BIOS, priority: 150 }])
  await b`deploy template create CUSTOM_TUNED --steps ${steps}`
  await b`deploy template set CUSTOM_TUNED --extra by=me`
  await b`deploy template unset CUSTOM_TUNED --extra by`
  assert.match(await b`deploy template show CUSTOM_TUNED`, /factory_reset/)
  assert.match(await b`deploy template list -f value`, /CUSTOM_TUNED/)
  await b`deploy template delete CUSTOM_TUNED`

  await b`runbook create --name CUSTOM_GPU --steps ${JSON.stringify([{ ...BIOS, order: 1 }])}`
  await b`runbook set CUSTOM_GPU --extra by=me`
  await b`runbook unset CUSTOM_GPU --extra by`
  await b`runbook trait add CUSTOM_GPU CUSTOM_GPU`
  await b`runbook trait add CUSTOM_GPU CUSTOM_TUNED`
  assert.match(await b`runbook trait list CUSTOM_GPU -f value`, /CUSTOM_TUNED/)
  await b`runbook trait remove CUSTOM_GPU CUSTOM_TUNED`
  assert.match(await b`runbook show CUSTOM_GPU`, /factory_reset/)
  assert.match(await b`runbook list -f value`, /CUSTOM_GPU/)

  const actions = JSON.stringify([{ op: 'set-attribute', args: { path: '/extra/seen', value: 'yes' } }])
  const rule = uuidOf(await b`inspection rule create --description first --conditions [] --actions ${actions} -f json`)
  await b`inspection rule set ${rule} --description second`
  await b`inspection rule unset ${rule} --description`
  assert.match(await b`inspection rule show ${rule}`, /set-attribute/)
  assert.match(await b`inspection rule list -f value`, new RegExp(rule))
  await b`inspection rule delete ${rule}`
}

async function life(b: Baremetal, node: string): Promise<void> {
  const held = JSON.stringify([{ interface: 'deploy', step: 'hold' }])
  await b`node inspect bay-1 --wait 60`
  await assert.rejects(b`node inventory save bay-1`, /not found|Not Found|404/i)
  await b`node clean bay-1 --runbook CUSTOM_GPU --wait 60`
  await b`node provide bay-1 --wait 60`
  await b`node deploy bay-1 --wait 60`
  await b`node rebuild bay-1 --wait 60`
  await b`node rescue bay-1 --rescue-password ${'pass-word-1'} --wait 60`
  await b`node unrescue bay-1 --wait 60`
  await b`node service bay-1 --service-steps ${held}`
  await untilState(b, 'service hold')
  await b`node unhold bay-1`
  await untilState(b, 'active')
  await b`node reboot bay-1`
  await b`node power on bay-1`
  await b`node undeploy bay-1 --wait 60`
  await b`node manage bay-1 --wait 60`
  await b`node clean bay-1 --clean-steps ${held}`
  await untilState(b, 'clean hold')
  await b`node abort bay-1`
  await untilState(b, 'clean failed')
  await b`node maintenance unset bay-1`
  await b`node manage bay-1 --wait 60`
  await b`node adopt bay-1 --wait 60`
  await b`node undeploy bay-1 --wait 60`
  const history = await b`node history list bay-1 -f json`
  const [event] = JSON.parse(history) as { uuid: string }[]
  assert.ok(event, 'an abort is an event of a node')
  assert.match(await b`node history get bay-1 ${event.uuid}`, /clean/i)
  await b`runbook delete CUSTOM_GPU`
  assert.equal(node.length, 36)
}

const LOOKS = 200
async function untilState(b: Baremetal, wanted: string): Promise<void> {
  let found = ''
  for (let look = 0; look < LOOKS; look++) {
    found = await stateOf(b, 'bay-1')
    if (found === wanted) return
  }
  assert.fail(`bay-1 is ${found}, and was to become ${wanted}`)
}

async function allocations(b: Baremetal): Promise<void> {
  await b`allocation create --name mine --resource-class ${CLASS} --trait CUSTOM_GPU --wait 60`
  await b`allocation set mine --extra for=tests`
  await b`allocation unset mine --extra for`
  assert.equal(await shown(b, 'allocation', 'mine', 'state'), 'active')
  assert.match(await b`allocation list -f value`, /mine/)
  await b`allocation delete mine`
}

async function fromFile(b: Baremetal): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'baremetal-'))
  try {
    const file = join(folder, 'rack.json')
    await writeFile(file, JSON.stringify({ nodes: [{ name: 'bay-2', driver: 'fake-hardware' }] }))
    await b`create ${file}`
    assert.equal(await stateOf(b, 'bay-2'), 'enroll')
    await b`node delete bay-2`
  } finally {
    await rm(folder, { recursive: true })
  }
}
