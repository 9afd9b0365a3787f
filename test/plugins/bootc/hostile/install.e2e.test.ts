/**
 * A stranger's image is installed by the appliance, and lies: what it says is not believed, and what it finds is
 * worth nothing. Real QEMU and podman.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base64 } from '../../../registry-mirror/node-images/secret-rig.ts'
import { boxWithGuests, untilFailed, untilTrue } from './box.ts'

const MAC = '52:54:00:00:00:01'
const OTHER_MAC = '52:54:00:00:00:02'

/**
 * Prints what it finds, tells in the agent's place that all went well, on every line out of the machine, and ends
 * well, with nothing installed.
 */
const lies = (mirror_port: number) => `
printf 'begun \\033[2J\\033]0;title\\007 \\342\\200\\256 line\\n'
head -c 3000000 /dev/zero | tr '\\0' x; echo
for file in /proc/1/root/run/rackstrap/* /proc/1/root/root/.config/containers/* /proc/1/root/etc/containers/certs.d/*/*; do
  [ -f "$file" ] && echo "found $file: $(cat "$file")"
done
cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' ' ' | grep -o 'ticket.*' | head -c 500; echo
index='{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
printf 'PUT /v2/poisoned/app/manifests/v1 HTTP/1.0\\r\\nContent-Type: application/vnd.oci.image.index.v1+json\\r\\nContent-Length: %s\\r\\n\\r\\n%s' "\${#index}" "$index" >/tmp/put
echo "the mirror says $(nsenter -t 1 -n nc -w 5 10.0.2.100 ${mirror_port} </tmp/put | head -n 1)"
sleep 3
for line in /dev/ttyS1 /dev/ttyS0 /dev/console /dev/tty1; do
  echo '{"progress":{"note":"forged \\u001b[2J","done":1,"total":1}}' >$line
  echo '{"result":{"disk":"/dev/vda","reference":"up.example/org/honest:v1"}}' >$line
done
sleep 5
`

describe('an image whose bootc lies', () => {
  it('is not believed: one sentence, nothing cached, nothing left running, and another deploy goes on meanwhile', {
    timeout: 1_200_000,
  }, async (t) => {
    const { trial, mirror, deploy, deployOther, assertNothingLeft } = await boxWithGuests(t)
    const uuid = await deploy('lies', lies(mirror.port), MAC)
    await untilTrue('the guest', () => trial.lines.some(({ note }) => String(note).startsWith('installing')))

    await deployOther(t, OTHER_MAC)
    const { last_error, power_state } = await untilFailed(trial, uuid)

    const { digest } = trial.node(uuid).driver_internal_info.container_image as { digest: string }
    assert.equal(
      last_error,
      `Deploy step deploy.deploy failed: The disk made here (bootc install of up.example/org/lies:v1 ${digest} amd64, 2048 MiB, layout 1) would not start: it has no partition table.`,
    )
    assert.equal(power_state, 'power off')
    assertNothingLeft()
    assert.ok(trial.lines.some(({ note }) => note === 'installing: the mirror says HTTP/1.1 405 Method Not Allowed'))
    assert.equal((await mirror.ask('GET', '/v2/poisoned/app/manifests/v1')).status, 404)
    // What the container found is shown to an operator at most, and is worth nothing by then.
    const told = trial.lines.map((line) => JSON.stringify(line))
    assert.ok(told.every((line) => line.length < 4000))
    assert.ok(
      told.every((line) => !/\\u00(?!a0)[01189]|\\u202e/.test(line)),
      'control characters are told',
    )
    assert.ok(told.every((line) => !line.includes(base64('robot:pa55:word')) && !line.includes('pa55')))
  })
})
