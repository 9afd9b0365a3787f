import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readOptions, UsageError } from './options.ts'

describe('options of npm run rack', () => {
  it('has a sensible value for each', () => {
    assert.deepEqual(readOptions([], {}), {
      firmware: 'bios',
      nodes: 1,
      memory_mib: 1024,
      node: {
        driver: 'ipmi',
        deploy_interface: 'direct',
        driver_info: [],
        instance_info: [],
        property: [],
        deploy_steps: undefined,
      },
      isContainer: false,
      offline: false,
      clean: false,
      image: undefined,
      config: undefined,
      plugins: [],
      json: undefined,
      keep: false,
    })
  })

  it('takes every option, after a pair of dashes too many as well', () => {
    const machines = '--firmware uefi --nodes 3 --memory 768'
    const what = '--deploy-interface bootc --image quay.io/org/os:1 --offline --clean --json out.json --keep'
    const node =
      '--driver fake-hardware --driver-info a=1 --driver-info b=two=2 --instance-info c={"d":3} --property e='
    const more = '--deploy-steps [{"step":"f"}] --config rack.conf --plugin hello --plugin ../bye'
    const args = ['--', ...[machines, what, node, more].flatMap((some) => some.split(' '))]

    assert.deepEqual(readOptions(args, {}), {
      firmware: 'uefi',
      nodes: 3,
      memory_mib: 768,
      node: {
        driver: 'fake-hardware',
        deploy_interface: 'bootc',
        driver_info: ['a=1', 'b=two=2'],
        instance_info: ['c={"d":3}'],
        property: ['e='],
        deploy_steps: '[{"step":"f"}]',
      },
      isContainer: true,
      config: 'rack.conf',
      plugins: ['hello', '../bye'],
      offline: true,
      clean: true,
      image: 'quay.io/org/os:1',
      json: 'out.json',
      keep: true,
    })
  })

  it('says how to give options that npm kept to itself', () => {
    assert.throws(() => readOptions(['2'], { npm_config_nodes: 'true' }), {
      constructor: UsageError,
      message: 'npm kept --nodes to itself: write npm run rack -- --nodes ...',
    })
  })

  for (const [args, message] of [
    ['--firmware efi', "--firmware is 'efi': give bios or uefi"],
    ['--nodes 0', "--nodes is '0': give a whole number from 1 to 100"],
    ['--nodes 1.5', "--nodes is '1.5': give a whole number from 1 to 100"],
    ['--driver-info ipmi_port', "--driver-info is 'ipmi_port': give KEY=VALUE; the value is JSON, or else text"],
    ['--property =1', "--property is '=1': give KEY=VALUE; the value is JSON, or else text"],
    ['--deploy-interface=', "--deploy-interface is '': give a name"],
    [
      '--deploy-steps [{',
      "--deploy-steps is no JSON: Expected property name or '}' in JSON at position 2 (line 1 column 3)",
    ],
    ['--offline', '--offline is about containers: give --deploy-interface bootc with it'],
    ['--memory lots', "--memory is 'lots': give a whole number from 256 to 1048576"],
  ] as const) {
    it(`refuses ${args}`, () => {
      assert.throws(() => readOptions(args.split(' '), {}), { constructor: UsageError, message })
    })
  }

  it('takes any interface and driver: which ones there are, the appliance knows', () => {
    const command = readOptions(['--deploy-interface', 'ansible', '--driver', 'redfish'], {})

    assert.ok(command !== 'help')
    assert.deepEqual([command.node.deploy_interface, command.node.driver], ['ansible', 'redfish'])
  })

  it('takes a container for any interface', () => {
    const command = readOptions(['--deploy-interface', 'hello', '--image', 'oci://quay.io/org/os:1', '--offline'], {})

    assert.ok(command !== 'help')
    assert.deepEqual([command.isContainer, command.offline], [true, true])
  })

  it('refuses an option that there is not, and lists those that there are', () => {
    assert.throws(() => readOptions(['--node', '2'], {}), /Unknown option '--node'[\s\S]*--nodes N/)
  })
})
