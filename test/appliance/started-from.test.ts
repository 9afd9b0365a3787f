/**
 * The folder that the appliance was started from: it may be closed to its account, or gone, and no program needs it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const APPLIANCE = join(import.meta.dirname, '../../appliance')

/** Runs these lines in a folder that is gone. */
function runThere(lines: string): { stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gone-'))
  const program = `
    import { rmdirSync } from 'node:fs'
    import { createLog } from '${APPLIANCE}/log.ts'
    import { LOOPBACK_REACH } from '${import.meta.dirname}/loopback-reach.ts'
    import { createIpmitool, IPMITOOL_TIMING } from '${APPLIANCE}/hardware/ipmi/ipmitool.ts'
    import { exec } from '${APPLIANCE}/conductor/plugin/exec.ts'
    import { runProgram } from '${APPLIANCE}/images/file/programs.ts'
    rmdirSync(${JSON.stringify(folder)})
    const signal = new AbortController().signal
    const log = createLog('debug', (line) => console.log(line))
    ${lines}`
  return spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
}

describe('a folder to start from that is gone', () => {
  it('does not keep the programs of plugins from running', () => {
    const { stdout, stderr } = runThere("console.log((await exec('pwd', [], {}, { signal, node_uuid: 'n' })).stdout)")

    assert.deepEqual([stdout, stderr], ['/\n', ''])
  })

  it('does not keep the programs that work on images from running', () => {
    const { stdout, stderr } = runThere(
      "await runProgram({ file: 'pwd', args: [], onOutput: (text) => console.log(text.trim()), nice: 1, timeout_s: 9, signal, about: 'It' })",
    )

    assert.deepEqual([stdout, stderr], ['/\n', ''])
  })

  it('does not keep ipmitool from running', () => {
    const { stdout, stderr } = runThere(`
      const timing = { ...IPMITOOL_TIMING, tries: 1 }
      const settings = { command_retry_timeout: 9, min_command_interval: 0 }
      const access = { node: 'n', address: '127.0.0.1', port: 9, password: '', kg_key: '', args: ['-V'], cipher_suites: [] }
      console.log(await createIpmitool({ log: createLog('error', () => {}), reach: LOOPBACK_REACH, settings }, timing).at(access, signal).run('x'))`)

    assert.equal(stderr, '')
    assert.match(stdout, /^ipmitool version /)
  })
})
