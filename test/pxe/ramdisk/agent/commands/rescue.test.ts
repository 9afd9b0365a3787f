/** Extension rescue: account, ssh server, and what nobody is told. Programs are scripts that write down their calls. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { AgentContext } from '../../../../../pxe/ramdisk/agent/commands/context.ts'
import { rescueCommands } from '../../../../../pxe/ramdisk/agent/commands/rescue.ts'
import { agentOn } from '../agent-context.ts'
import { type FakeMachine, makeMachine } from '../fake-machine.ts'

const HASH = '$5$rounds=5000$Fz1AqPyWAnXw$5pPOsMqXbzwoYVj2fBqRTMMFZbpVfwjKSnQ9PVJqR6.'
const PRINTED =
  'Public key portion is:\nssh-ed25519 AAAA root@rackstrap\nFingerprint: SHA256:9vzSWs7SDGZgTkUG (ssh-ed25519)'

async function machineWith(more: Record<string, string> = {}): Promise<FakeMachine> {
  const machine = await makeMachine({
    programs: {
      dropbear: '',
      dropbearkey: `echo "${PRINTED.replaceAll('\n', '\\n')}"`,
      busybox: `read -r given; echo "$given" >>"$(dirname "$0")/asked"; echo '${HASH}'`,
      ...more,
    },
  })
  await mkdir(join(machine.root, 'usr/sbin'), { recursive: true })
  await writeFile(join(machine.root, 'usr/sbin/dropbear'), '')
  await mkdir(join(machine.root, 'etc'), { recursive: true })
  await writeFile(join(machine.root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  await mkdir(join(machine.root, 'run/agent'), { recursive: true })
  await writeFile(join(machine.root, 'run/agent/identity.json'), '{"agent_token":"hush"}')
  return machine
}

async function rescue(machine: FakeMachine, params: Record<string, unknown>): Promise<{ isHandedOver: boolean }> {
  const seen = { isHandedOver: false }
  const handOver = () => {
    seen.isHandedOver = true
  }
  const agent: AgentContext = { ...agentOn(machine), handOver }
  const { finalize_rescue: command } = rescueCommands(agent)
  command?.validate?.(params)
  await command?.run(params, { progress() {} })
  return seen
}
const textOf = (machine: FakeMachine, path: string) => readFile(join(machine.root, path), 'utf8')

describe('finalize_rescue', () => {
  it('makes an account with the hash, starts an ssh server and has the agent end', async () => {
    await using machine = await machineWith()

    const seen = await rescue(machine, { rescue_password: HASH, hashed: true })

    const key = join(machine.root, 'etc/dropbear/ed25519')
    assert.equal(
      await textOf(machine, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nrescue:x:0:0:rescue:/root:/bin/sh\n',
    )
    assert.equal(await textOf(machine, 'etc/shadow'), `rescue:${HASH}:::::::\n`)
    assert.equal((await stat(join(machine.root, 'etc/shadow'))).mode & 0o777, 0o600)
    assert.deepEqual(await machine.calls(), [
      `dropbearkey -t ed25519 -f ${key}`,
      `dropbearkey -y -f ${key}`,
      `dropbear -r ${key} -p 22 -P ${machine.root}/run/dropbear.pid`,
    ])
    assert.ok(existsSync(join(machine.root, 'etc/.rescued')))
    assert.ok(seen.isHandedOver)
  })

  it('leaves the token of the agent to nobody, tells where to log in, and the password to no log', async () => {
    await using machine = await machineWith()

    await rescue(machine, { rescue_password: HASH, hashed: true })

    assert.ok(!existsSync(join(machine.root, 'run/agent/identity.json')))
    const said = (await machine.console()) + (await textOf(machine, 'var/log/agent.log'))
    assert.match(said, /In rescue: ssh rescue@ADDRESS of this machine, .* Host key SHA256:9vzSWs7SDGZgTkUG/)
    assert.ok(!said.includes('Fz1AqPyWAnXw'))
  })

  it('hashes a password that is none yet, which stands in no list of processes', async () => {
    await using machine = await machineWith()

    await rescue(machine, { rescue_password: 'open sesame' })

    assert.equal((await textOf(machine, 'usr/bin/asked')).trim(), 'open sesame')
    assert.ok((await machine.calls()).includes('busybox mkpasswd -m sha256 -P 0'))
    assert.equal(await textOf(machine, 'etc/shadow'), `rescue:${HASH}:::::::\n`)
  })

  const odd: Record<string, unknown>[] = [
    {},
    { rescue_password: '' },
    { rescue_password: 7 },
    { rescue_password: 'a\nroot::0:0:::' },
    { rescue_password: 'x'.repeat(257) },
    { rescue_password: 'plain', hashed: true },
    { rescue_password: `${HASH}:0:0`, hashed: true },
    { rescue_password: `${HASH}\nroot:`, hashed: true },
  ]
  for (const params of odd)
    it(`refuses ${JSON.stringify(params).slice(0, 60)}, and repeats nothing of it`, async () => {
      await using machine = await machineWith()

      const refused = await rescue(machine, params).then(
        () => undefined,
        (error: Error) => error,
      )

      assert.match(String(refused), /Invalid command parameters: rescue_password is no /)
      assert.ok(!/plain|root:|xxx|Fz1/.test(String(refused)))
      assert.deepEqual(await machine.calls(), [])
    })

  it('says what is missing in a ramdisk without the layer, and when the ssh server does not start', async () => {
    await using bare = await makeMachine()
    await using busy = await machineWith({ dropbear: 'echo "No listening ports available." >&2; exit 1' })

    await assert.rejects(rescue(bare, { rescue_password: HASH, hashed: true }), {
      details:
        'This ramdisk has no ssh server, as it was booted without its layer rackstrap-rescue. Build it again with "rackstrap ramdisk build", and rescue again.',
    })
    await assert.rejects(rescue(busy, { rescue_password: HASH, hashed: true }), /No listening ports available/)
  })
})
