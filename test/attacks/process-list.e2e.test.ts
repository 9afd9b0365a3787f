/**
 * An account of the box that looks at the list of processes all the while: what it sees of secrets when the appliance
 * switches a machine, and runs a plugin's program. The look is nobody's, for which root is needed.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { exec } from '../../appliance/conductor/plugin/exec.ts'
import { createIpmi } from '../../appliance/hardware/ipmi/ipmi.ts'
import { ipmitoolPower } from '../../appliance/hardware/power/ipmitool.ts'
import { createLog } from '../../appliance/log.ts'
import { interfaceTask } from '../../appliance/plugin-testing/interface-task.ts'
import { nodeOnPaper } from '../appliance/hardware/node-on-paper.ts'
import { LOOPBACK_REACH } from '../appliance/loopback-reach.ts'
import { freeUdpPort } from '../rack/free-port.ts'
import { startIpmiSim } from '../rack/ipmi-sim.ts'
import { createMachineOnPaper } from '../rack/machine-on-paper.ts'

/** At most 16 characters: IPMI 1.5 takes no more. */
const SECRET = 'zq-secret-word'
/** Prints what it can read of each process that it has not seen like that before, until its standard input ends. */
const LOOK = `
  use strict; $| = 1; my (%seen, $bits); vec($bits, 0, 1) = 1; print "looking\\n";
  until (select(my $ready = $bits, undef, undef, 0.001)) {
    for my $file (glob '/proc/[0-9]*/cmdline /proc/[0-9]*/environ') {
      open(my $in, '<', $file) or next; local $/; my $text = <$in> // ''; $text =~ tr/\\0\\n/  /;
      print "$file: $text\\n" if $text ne '' && !$seen{"$file $text"}++;
    }
  }`

/** @returns what nobody saw meanwhile, a line for each look */
async function seenDuring(t: TestContext, act: () => Promise<unknown>): Promise<string> {
  const account = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all']
  const looking = spawn('setpriv', [...account, 'perl', '-e', LOOK], { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => looking.kill('SIGKILL'))
  let seen = ''
  const began = once(looking.stdout.setEncoding('utf8'), 'data')
  looking.stdout.on('data', (text: string) => (seen += text))
  await began
  await act()
  looking.stdin.end()
  await once(looking, 'close')
  return seen
}

describe('the list of processes', { timeout: 120_000 }, () => {
  it('shows the call of ipmitool, and neither its password nor its environment', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'process-list-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const machine = createMachineOnPaper(folder)
    const port = await freeUdpPort()
    const bmc = { folder, port, username: 'admin', password: SECRET, hook: machine.hook }
    const sim = await startIpmiSim(bmc)
    t.after(() => sim.stop())
    const power = ipmitoolPower(
      createIpmi({ log: createLog('error', () => {}), reach: LOOPBACK_REACH, default_boot_mode: 'bios' }),
    )
    const driver_info = { ipmi_address: '127.0.0.1', ipmi_port: port, ipmi_username: 'admin', ipmi_password: SECRET }

    const seen = await seenDuring(t, () => power.setPowerState(interfaceTask(nodeOnPaper({ driver_info })), 'power on'))

    assert.equal(machine.power(), 'on')
    assert.match(seen, /cmdline: \S*ipmitool /)
    assert.ok(!seen.includes(SECRET), 'the password was seen')
    assert.doesNotMatch(seen, /IPMI_PASSWORD/)
  })

  it('shows the program of a plugin, and nothing that it was given by standard input or environment', async (t) => {
    const seen = await seenDuring(t, () =>
      exec(
        'sh',
        ['-c', 'read secret; sleep 0.5'],
        { input: `${SECRET}\n`, env: { TOKEN: SECRET } },
        {
          ...{ signal: t.signal, node_uuid: 'one' },
        },
      ),
    )

    assert.match(seen, /cmdline: \S*sh -c read secret/)
    assert.ok(!seen.includes(SECRET), 'the secret was seen')
  })
})
