import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { renderDiscoveryScript, renderFirstScript } from '../../pxe/ipxe-script.ts'

const http_url = 'http://192.168.50.1:8080'
const ramdisk = {
  kernel: 'vmlinuz',
  core: ['core.cpio'],
  layers: {},
  takes_layers: true,
  digest: '',
  kernel_params: '',
}

describe('first boot script of a box that enrolls unknown machines', () => {
  it('asks once more when no card is known, by the card that it boots from', () => {
    const [, none] = renderFirstScript(http_url, { discovers: true }).split(':none\n')

    assert.equal(
      none?.split('\n').slice(0, 3).join('\n'),
      `echo No network card of this machine is known: asking whether it is to be enrolled.
chain --timeout 60000 http://192.168.50.1:8080/boot/discover/\${netX/mac:hexhyp} ||
echo No network card of this machine is known: nothing is deployed.`,
    )
  })
})

describe('boot script of an unknown machine that is to be enrolled', () => {
  it('gets the agent, and goes on to the next boot device where that cannot be fetched', () => {
    const script = renderDiscoveryScript(
      { parameters: [['ipa-inspection-callback-url', 'http://a/v1/continue_inspection']], layers: [] },
      { http_url, mac: '52:54:00:12:34:56', ramdisk },
    )

    assert.equal(
      script,
      `#!ipxe

echo Rackstrap: this unknown machine boots the agent, which tells what it is made of.
imgfree
kernel --timeout 60000 --name vmlinuz http://192.168.50.1:8080/boot/files/vmlinuz ipa-inspection-callback-url=http://a/v1/continue_inspection BOOTIF=52:54:00:12:34:56 initrd=core.cpio || goto leave
initrd --timeout 60000 --name core.cpio http://192.168.50.1:8080/boot/files/core.cpio || goto leave
boot ||

:leave
exit 1
`,
    )
  })
})
