/**
 * What else a stranger's image could do where the appliance installs it. Each: one sentence, and nothing left. Real
 * QEMU and podman, some of it for minutes.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SECRET } from '../../../registry-mirror/node-images/secret-rig.ts'
import { boxWithGuests, untilFailed } from './box.ts'

type Misdeed = {
  does: string
  script: string
  /** Behind `bootc of <reference> did not install to /dev/vda: `, unless it is a whole sentence. */
  says: RegExp
  install_timeout?: number
}

const diedSaying = (words: string) =>
  new RegExp(
    `^The virtual machine for bootc_install (ended with code 0|did not end within \\d+ s) before it told a result\\. Its last words: ${words}`,
  )

const backwards = (text: string) => [...text].reverse().join('')

const MISDEEDS: readonly Misdeed[] = [
  {
    does: 'says that all went well and has written nothing',
    script: 'exit 0',
    says: /^bootc of up\.example\/org\/m0:v1 ended without an error, but \/dev\/vda has no partition table\.$/,
  },
  {
    does: 'is a fork bomb',
    script: 'bomb() { bomb | bomb & }; bomb; while :; do sleep 1 & done',
    says: /^bootc of up\.example\/org\/m1:v1 did not install to \/dev\/vda: .*(can't fork|did not end within 240 s)/,
    install_timeout: 240,
  },
  {
    does: 'fills its disk',
    script: 'dd if=/dev/zero of=/full bs=1M; exit 1',
    says: /^bootc of up\.example\/org\/m2:v1 did not install to \/dev\/vda: dd: error writing '\/full': No space left on device$/,
  },
  {
    does: 'hangs',
    script: 'echo waiting for ever; sleep 100000',
    says: /^bootc of up\.example\/org\/m3:v1 did not install to \/dev\/vda: it did not end within 90 s$/,
    install_timeout: 90,
  },
  {
    does: 'writes over every disk that it sees, its own store and memory',
    script: `for disk in /dev/vda /dev/vdb /dev/mem /dev/ram0; do [ -e $disk ] && head -c 300000000 /dev/zero | tr '\\0' z | dd of=$disk bs=1M; done; sync; echo 3 >/proc/sys/vm/drop_caches; ls /; exit 1`,
    says: /./,
    install_timeout: 300,
  },
  {
    does: 'has the kernel panic',
    script: 'echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 60',
    says: diedSaying('Kernel panic - not syncing: sysrq triggered crash'),
  },
  {
    does: 'switches its machine off',
    script: 'echo 1 >/proc/sys/kernel/sysrq; echo o >/proc/sysrq-trigger; sleep 60',
    says: diedSaying('.'),
  },
  {
    does: 'starts its machine anew',
    script: 'echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger; sleep 60',
    says: diedSaying('.'),
  },
  {
    does: 'kills the agent beside it',
    script:
      'for pid in $(ls /proc | grep "^[0-9]"); do [ $pid != $$ ] && [ $pid != 1 ] && kill -9 $pid; done; sleep 60',
    says: /^The agent in the virtual machine ended unexpectedly\.$|^The virtual machine for bootc_install ended with code 0 before it told a result\./,
  },
  {
    does: 'prints megabytes without an end of line, and control characters',
    script: `head -c 5000000 /dev/zero | tr '\\0' y; printf '\\033[31merror: \\007\\033]0;owned\\007 \\302\\205 it broke\\033[0m\\r\\n' >&2; exit 1`,
    says: /^bootc of up\.example\/org\/m9:v1 did not install to \/dev\/vda: .*it broke$/,
  },
  {
    does: 'looks for the pull secret everywhere and tells it as its error',
    // Written backwards, so that it does not find itself.
    script: `for word in ${backwards(SECRET)} ${backwards('pa55')}; do echo $word | rev; done >/dev/shm/words
for place in run etc root tmp var/lib/containers/storage; do
  find /proc/1/root/$place -type f ! -name words -exec grep -l -f /dev/shm/words {} + 2>/dev/null
done | head -n 3 | while read -r file; do echo "error: found in $file"; done
cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -f /dev/shm/words | head -n 1 |
  while read -r line; do echo "error: found $line"; done
[ -e /proc/1/root/run/rackstrap/guest.json ] && echo 'error: found the order'
[ -e /proc/1/root/run/rackstrap/pull-auth.json ] && echo 'error: found the auth file'
echo 'nothing but that'; exit 1`,
    says: /^bootc of up\.example\/org\/m10:v1 did not install to \/dev\/vda: nothing but that$/,
  },
]

describe('where the appliance installs an image whose bootc', { timeout: 7_000_000 }, () => {
  for (const [index, { does, script, says, install_timeout = 600 }] of MISDEEDS.entries())
    it(`${does}, the deploy fails in one sentence and nothing is left`, async (t) => {
      const { trial, deploy, assertNothingLeft } = await boxWithGuests(t, { install_timeout })

      const uuid = await deploy(`m${index}`, script, '52:54:00:00:00:01')
      const { last_error, power_state } = await untilFailed(trial, uuid)

      t.diagnostic(String(last_error))
      const [, sentence = ''] = /^Deploy step deploy\.deploy failed: (.*)$/s.exec(String(last_error)) ?? []
      assert.match(sentence, says)
      assert.doesNotMatch(sentence, /\p{C}/u)
      assert.ok(sentence.length < 1200, `${sentence.length} characters`)
      assert.equal(power_state, 'power off')
      assertNothingLeft()
      const told = JSON.stringify(trial.lines)
      assert.ok(!told.includes(SECRET) && !told.includes('pa55'))
    })
})
