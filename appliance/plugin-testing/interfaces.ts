/** What is counted on from each type of interface beside power and management: one suite a type, run over all of it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Interfaces, InterfaceTask, RescueTask } from '../plugin-api/interfaces.ts'
import type { Node } from '../records/kinds/node.ts'
import { testImplementation } from './implementation.ts'
import { interfaceTask } from './interface-task.ts'
import { testManagementInterface } from './management-interface.ts'
import { testPowerInterface } from './power-interface.ts'

type Type = keyof Interfaces
/** Made anew by each test; the machine is off, and `record` writes to the node what the conductor would. */
export type UnderTest<K extends Type> = {
  implementation: Interfaces[K]
  node: () => Node
  record: (change: Partial<Node>) => void
}
type Suite<K extends Type> = (make: () => UnderTest<K>) => void

const SUITES: { readonly [K in Type]: Suite<K> } = {
  power: (make) =>
    testPowerInterface(() => {
      const { implementation, ...rest } = make()
      return { power: implementation, ...rest }
    }),
  management: (make) =>
    testManagementInterface(() => {
      const { implementation, ...rest } = make()
      return { management: implementation, ...rest }
    }),
  boot: (make) =>
    described('BootInterface', make, () => {
      it('has the machine boot from the network next, exactly when it says that it does', async () => {
        const { implementation, node } = make()
        const devices: string[] = []
        const bootFrom = async (device: string) => void devices.push(device)

        const deployIso = async () => new URL('http://192.0.2.1/boot/iso/deploy.iso')
        await implementation.prepareRamdisk({ ...interfaceTask(node()), bootFrom, deployIso })

        assert.deepEqual(devices, implementation.bootsFromNetwork ? ['network'] : [])
      })
    }),
  inspect: (make) =>
    described('InspectInterface', make, () => {
      it('finds properties of the node, the same ones twice', async () => {
        const { implementation, node } = make()

        const found = await implementation.inspectHardware(interfaceTask(node()))

        assert.equal(typeof found, 'object')
        assert.deepEqual(await implementation.inspectHardware(interfaceTask(node())), found)
      })
    }),
  raid: (make) =>
    described('RaidInterface', make, () => {
      it('creates and deletes configurations in a cleaning when it is asked to, and applies one in a deploy', () => {
        assert.deepEqual(stepsOf(make(), 'clean'), ['create_configuration', 'delete_configuration'])
        assert.deepEqual(stepsOf(make(), 'deploy'), ['apply_configuration'])
      })
      it('explains the properties of a logical disk', () => {
        for (const help of Object.values(make().implementation.logicalDiskProperties)) assert.match(help, /\w.*\.$/)
      })
    }),
  bios: (make) =>
    described('BiosInterface', make, () => {
      it('applies settings, which a factory reset takes away', async () => {
        const { implementation, node } = make()
        const settings = [{ name: 'virtualization', value: 'on' }]

        const told = await ran(implementation, 'apply_configuration', interfaceTask(node()), { settings })
        const reset = await ran(implementation, 'factory_reset', interfaceTask(node()), {})

        assert.match(JSON.stringify(told), /virtualization/)
        assert.doesNotMatch(JSON.stringify(reset), /virtualization/)
      })
      it('tells each setting once', async () => {
        const { implementation, node } = make()

        const names = ((await implementation.getSettings?.(interfaceTask(node()))) ?? []).map(({ name }) => name)

        assert.deepEqual(names, [...new Set(names)])
      })
      it('refuses settings that are none', async () => {
        const { implementation, node } = make()

        await assert.rejects(ran(implementation, 'apply_configuration', interfaceTask(node()), { settings: 'on' }), {
          name: 'InvalidParameterValue',
        })
      })
    }),
  firmware: (make) =>
    described('FirmwareInterface', make, () => {
      it('updates in a cleaning, when it is told of what', () => {
        const { steps = [] } = make().implementation

        assert.deepEqual(
          steps.map(({ step, of, priority, argsInfo }) => [
            step,
            of.includes('clean'),
            priority,
            argsInfo?.settings?.required,
          ]),
          [['update', true, 0, true]],
        )
      })
      it('tells each component once', async () => {
        const { implementation, node } = make()

        const told = ((await implementation.getComponents?.(interfaceTask(node()))) ?? []).map((each) => each.component)

        assert.deepEqual(told, [...new Set(told)])
      })
    }),
  console: (make) =>
    described('ConsoleInterface', make, () => {
      it('starts and stops, also twice', async () => {
        const { implementation, node } = make()

        for (let time = 0; time < 2; time++) await implementation.startConsole(interfaceTask(node()))
        assert.equal(typeof (await implementation.getConsole(interfaceTask(node()))), 'object')
        for (let time = 0; time < 2; time++) await implementation.stopConsole(interfaceTask(node()))
      })
    }),
  rescue: (make) =>
    described('RescueInterface', make, () => {
      it('rescues, and brings the machine back', async () => {
        const { implementation, node } = make()

        const task = rescueTask(node())

        const result = await implementation.rescue(task)
        if ('wait' in result) await implementation.resume?.(task, { from: 'agent', waited: 'agent-boot', commands: [] })
        await implementation.unrescue(task)

        assert.deepEqual(task.booted, implementation.bootsAgent ? ['agent', 'instance'] : [])
      })
    }),
  vendor: (make) =>
    described('VendorInterface', make, () => {
      it('explains its methods, each of which can be called by HTTP', () => {
        for (const [name, { description, http_methods }] of Object.entries(make().implementation.methods)) {
          assert.match(name, /^[a-z][a-z0-9_]*$/)
          assert.ok(description.length > 0 && http_methods.length > 0, name)
        }
      })
      it('refuses arguments that are missing, where it needs some, before it does anything', () => {
        for (const { check } of Object.values(make().implementation.methods)) {
          if (check) assert.throws(() => check({}), { name: 'MissingParameterValue' })
        }
      })
    }),
  network: (make) => described('NetworkInterface', make, () => {}),
  storage: (make) => described('StorageInterface', make, () => {}),
}

export function testInterface<K extends Type>(type: K, make: () => UnderTest<K>): void {
  SUITES[type](make)
}

/** An implementation that says that the interface is not there. */
export function testRefusal<K extends Type>(type: K, make: () => UnderTest<K>): void {
  it('is refused in words that clients know, and has no steps', async () => {
    const { implementation, node } = make()

    assert.deepEqual(implementation.steps ?? [], [])
    await assert.rejects(async () => implementation.validate(interfaceTask(node())), {
      name: 'UnsupportedDriverExtension',
      code: 400,
      message: `Driver ${node().driver} does not support ${type} (disabled or not implemented).`,
    })
  })
}

function described<K extends Type>(contract: string, make: () => UnderTest<K>, checks: () => void): void {
  describe(`conformance to ${contract}`, () => {
    testImplementation(make)
    checks()
  })
}

const stepsOf = ({ implementation }: UnderTest<'raid'>, kind: 'clean' | 'deploy') =>
  (implementation.steps ?? []).filter(({ of }) => of.includes(kind)).map(({ step }) => step)

/** `booted`: what the machine was started with. The agent does what it is told. */
function rescueTask(node: Node): RescueTask & { booted: string[] } {
  const booted: string[] = []
  const task = interfaceTask({ ...node, instance_info: { hashed_rescue_password: '$5$salt$hash' } })
  const agent = { run: async () => ({ id: '1', name: 'finalize_rescue', status: 'SUCCEEDED' }) }
  const boot = { agent: async () => void booted.push('agent') }
  const bootInstance = async () => void booted.push('instance')
  return { ...task, agent, boot, bootInstance, booted } as unknown as ReturnType<typeof rescueTask>
}

/** @returns what it asked to be kept */
async function ran(
  { steps = [] }: Pick<Interfaces['bios'], 'steps'>,
  name: string,
  task: InterfaceTask & { remembered: object },
  args: Record<string, unknown>,
): Promise<object> {
  const step = steps.find((each) => each.step === name)
  assert.ok(step, name)
  assert.deepEqual(await step.run(task as unknown as Parameters<typeof step.run>[0], args), { done: true })
  return task.remembered
}
