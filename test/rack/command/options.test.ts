import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readOptions, UsageError } from './options.ts'

describe('options of npm run rack', () => {
  it('has a sensible value for each', () => {
    assert.deepEqual(readOptions([], {}), {
      firmware: 'bios',
      nodes: 1,
      memory_mib: 1024,
      deploy_interface: 'direct',
      offline: false,
      clean: false,
      image: undefined,
      json: undefined,
      keep: false,
    })
  })

  it('takes every option, after a pair of dashes too many as well', () => {
    const machines = '--firmware uefi --nodes 3 --memory 768'
    const what = '--deploy-interface bootc --image quay.io/org/os:1 --offline --clean --json out.json --keep'
    const args = ['--', ...machines.split(' '), ...what.split(' ')]

    assert.deepEqual(readOptions(args, {}), {
      firmware: 'uefi',
      nodes: 3,
      memory_mib: 768,
      deploy_interface: 'bootc',
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
    ['--deploy-interface ansible', "--deploy-interface is 'ansible': give direct or bootc"],
    ['--offline', '--offline is about containers: give --deploy-interface bootc with it'],
    ['--memory lots', "--memory is 'lots': give a whole number from 256 to 1048576"],
  ] as const) {
    it(`refuses ${args}`, () => {
      assert.throws(() => readOptions(args.split(' '), {}), { constructor: UsageError, message })
    })
  }

  it('refuses an option that there is not, and lists those that there are', () => {
    assert.throws(() => readOptions(['--node', '2'], {}), /Unknown option '--node'[\s\S]*--nodes N/)
  })
})
