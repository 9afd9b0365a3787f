/** The whole text of what a machine's iPXE gets. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PxeError } from '../../pxe/config.ts'
import { renderFirstScript, renderIpxeScript, renderRefusal } from '../../pxe/ipxe-script.ts'
import type { MachineBoot } from '../../pxe/machine-boot.ts'
import type { RamdiskFiles } from '../../pxe/ramdisk-files.ts'

const http_url = 'http://192.168.50.1:8080'
const mac = '52:54:00:12:34:56'
const ramdisk: RamdiskFiles = {
  kernel: 'vmlinuz-0a1b2c3d4e5f',
  core: ['base-111111111111.cpio.zst', 'agent-222222222222.cpio.zst'],
  layers: { podman: 'podman-333333333333.cpio.zst' },
  takes_layers: true,
  digest: 'sha256:00',
  kernel_params: 'console=ttyS0',
}
type AgentBoot = Extract<MachineBoot, { kind: 'agent' }>
const agent: AgentBoot = { kind: 'agent', node: '5f2c1d', name: 'n1', parameters: [], layers: [] }
const render = (boot: MachineBoot) => renderIpxeScript(boot, { http_url, mac, ramdisk })
const renderAgent = (more: Partial<AgentBoot>) => render({ ...agent, ...more })
const kernelLine = (more: Partial<AgentBoot>) => /^kernel .*$/m.exec(renderAgent(more))?.[0]

describe('first boot script', () => {
  it('asks for each network card in turn, ten times, and tells no answer from "unknown" and from "disk"', () => {
    const script = renderFirstScript(http_url)

    assert.equal(
      script,
      `#!ipxe

echo Rackstrap: asking http://192.168.50.1:8080 what this machine is to boot.
set asked-for-each-card yes
set attempt:int32 0

:start
set netid:int32 -1

:next
inc netid
isset \${net\${netid}/mac} || goto none
clear verdict
chain --timeout 60000 http://192.168.50.1:8080/boot/\${net\${netid}/mac:hexhyp} ||
iseq \${verdict} unknown && goto next ||
iseq \${verdict} disk && exit 1 ||

inc attempt
iseq \${attempt} 10 && goto give-up ||
echo Trying again in \${attempt} s.
sleep \${attempt}
goto start

:none
echo No network card of this machine is known: nothing is deployed.
prompt --timeout 15000 Going on to the next boot device in 15 s; press any key to go on now. ||
exit 1

:give-up
echo The appliance at http://192.168.50.1:8080 did not answer. Is it running, and is the cable in the right port?
prompt --timeout 30000 Rebooting in 30 s; press any key to reboot now. ||
reboot
`,
    )
  })
})

describe('boot script of a machine that is to boot the deploy ramdisk', () => {
  it('fetches kernel and core, ten times if need be, and says on the screen when it cannot', () => {
    const script = renderAgent({
      parameters: [
        ['ipa-api-url', 'http://192.168.50.1:6385'],
        ['nofb', ''],
      ],
    })

    assert.equal(
      script,
      `#!ipxe

set verdict agent
echo Rackstrap: node n1 (5f2c1d) boots the deploy ramdisk.
set attempt:int32 0

:fetch
imgfree
kernel --timeout 60000 --name vmlinuz-0a1b2c3d4e5f http://192.168.50.1:8080/boot/files/vmlinuz-0a1b2c3d4e5f console=ttyS0 ipa-api-url=http://192.168.50.1:6385 nofb BOOTIF=52:54:00:12:34:56 initrd=base-111111111111.cpio.zst initrd=agent-222222222222.cpio.zst || goto retry
initrd --timeout 60000 --name base-111111111111.cpio.zst http://192.168.50.1:8080/boot/files/base-111111111111.cpio.zst || goto retry
initrd --timeout 60000 --name agent-222222222222.cpio.zst http://192.168.50.1:8080/boot/files/agent-222222222222.cpio.zst || goto retry
boot || goto give-up

:retry
inc attempt
iseq \${attempt} 10 && goto give-up ||
echo Trying again in \${attempt} s.
sleep \${attempt}
goto fetch

:give-up
echo The deploy ramdisk could not be fetched or started; the reason is above.
prompt --timeout 30000 Rebooting in 30 s; press any key to reboot now. ||
reboot
`,
    )
  })

  it('adds the layers that the deploy interface asked for, after the core', () => {
    const script = renderAgent({ layers: ['podman'] })

    assert.deepEqual(script.match(/initrd=\S+/g), [
      'initrd=base-111111111111.cpio.zst',
      'initrd=agent-222222222222.cpio.zst',
      'initrd=podman-333333333333.cpio.zst',
    ])
    assert.match(
      script,
      /\ninitrd [^\n]*\/agent-222222222222\.cpio\.zst \|\| goto retry\ninitrd --timeout 60000 --name podman-333333333333\.cpio\.zst http:\/\/192\.168\.50\.1:8080\/boot\/files\/podman-333333333333\.cpio\.zst \|\| goto retry\nboot /,
    )
  })

  it('adds the files for this machine last, from an address of its own', () => {
    const script = renderAgent({ layers: ['podman'], files: [{ path: '/etc/a', content: 'secret' }] })

    assert.deepEqual(script.match(/initrd=\S+/g)?.slice(-2), [
      'initrd=podman-333333333333.cpio.zst',
      'initrd=machine.cpio',
    ])
    assert.match(
      script,
      /\ninitrd --timeout 60000 --name machine\.cpio http:\/\/192\.168\.50\.1:8080\/boot\/52-54-00-12-34-56\.cpio \|\| goto retry\nboot /,
    )
    assert.ok(!script.includes('secret'))
  })

  it('is refused when the ramdisk has no such layer, with those that it has', () => {
    assert.throws(() => renderAgent({ layers: ['podman', 'constructor'] }), {
      name: 'PxeError',
      message: 'The deploy ramdisk has no layer "constructor" (there: podman). Build it again with that layer.',
    })
  })

  it('leaves out what an older ramdisk lacks for erasing: its agent overwrites', () =>
    assert.equal(renderAgent({ layers: ['rackstrap-erase', 'podman'] }), renderAgent({ layers: ['podman'] })))

  it('leaves layers out of a ramdisk of others, which has none', () => {
    const stock = { ...ramdisk, layers: {}, takes_layers: false }

    const script = renderIpxeScript({ ...agent, layers: ['podman'] }, { http_url, mac, ramdisk: stock })

    assert.deepEqual(
      script.match(/initrd=\S+/g),
      ramdisk.core.map((name) => `initrd=${name}`),
    )
  })

  it('puts quotes around a value with spaces, and leaves a BOOTIF that is given alone', () => {
    const line = kernelLine({
      parameters: [
        ['dyndbg', 'file a.c +p'],
        ['BOOTIF', '01-52-54-00-12-34-56'],
      ],
    })

    assert.equal(
      line,
      'kernel --timeout 60000 --name vmlinuz-0a1b2c3d4e5f http://192.168.50.1:8080/boot/files/vmlinuz-0a1b2c3d4e5f console=ttyS0 dyndbg="file a.c +p" BOOTIF=01-52-54-00-12-34-56 initrd=base-111111111111.cpio.zst initrd=agent-222222222222.cpio.zst || goto retry',
    )
  })

  it('lets no parameter become a command, a comment, an expansion or a second line', () => {
    for (const value of [
      'a\nreboot',
      'a\rb',
      'a\0b',
      '${net0/mac}',
      'a || reboot',
      '||',
      ';',
      'a && b',
      '#x',
      'ä',
      'a"b',
      "a'b",
      'a\\',
    ]) {
      assert.throws(() => renderAgent({ parameters: [['key', value]] }), { name: 'PxeError' }, value)
      assert.throws(() => renderAgent({ parameters: [[value, '']] }), { name: 'PxeError' }, value)
    }
  })

  it('is refused when its command line is longer than the kernel takes', () => {
    const parameters = Array.from({ length: 40 }, (_, index) => [`key${index}`, 'x'.repeat(50)] as const)

    assert.throws(() => renderAgent({ parameters }), {
      name: 'PxeError',
      message: "The kernel's command line has 2377 characters: it takes 2047. Shorten it.",
    })
  })
})

describe('boot script of a machine that is to boot its disk', () => {
  it('boots disk 0x80 on BIOS and goes back to UEFI firmware, and says why', () => {
    const script = render({ kind: 'disk', node: '5f2c1d', name: 'n1', why: 'it is active.' })

    assert.equal(
      script,
      `#!ipxe

set verdict disk
echo Rackstrap: node n1 (5f2c1d) boots from its own disk: it is active.
iseq \${platform} efi && goto leave ||
sanboot --no-describe --drive 0x80 ||
echo The first disk does not boot; leaving it to the next boot device of the firmware.

:leave
isset \${asked-for-each-card} && exit 0 || exit 1
`,
    )
  })

  it('shows hostile names and reasons, and runs none of them', () => {
    const script = render({
      kind: 'disk',
      node: '5f2c1d',
      name: 'n1\nreboot',
      why: 'a || reboot ; poweroff && x #not a comment ${net0/mac} $${b} über\u202e\r\nshell\\',
    })

    assert.equal(
      script.split('\n')[3],
      'echo Rackstrap: node n1 reboot (5f2c1d) boots from its own disk: a "||" reboot ";" poweroff "&&" x "#not" a comment $ {net0/mac} $$ {b} ?ber? "shell\\"',
    )
    assert.equal(script.split('\n').length, 11)
  })
})

describe('boot script of a machine whose card no port has', () => {
  it('says how to enroll it, and goes on to the next card or boot device', () => {
    const script = render({ kind: 'unknown', mac })

    assert.equal(
      script,
      `#!ipxe

set verdict unknown
echo Rackstrap: no node has the network card 52:54:00:12:34:56. To enroll it:
echo baremetal port create --node NODE 52:54:00:12:34:56
isset \${asked-for-each-card} && exit 0 ||
prompt --timeout 15000 Going on to the next boot device in 15 s; press any key to go on now. ||
exit 1
`,
    )
  })
})

describe('boot script of a machine whose instance is a kernel or an ISO', () => {
  const files = `${http_url}/agent_images`
  const kernel: MachineBoot = {
    kind: 'kernel',
    node: '5f2c1d',
    name: 'n1',
    kernel_url: `${files}/5f2c1d.aaaa`,
    ramdisk_urls: [`${files}/5f2c1d.bbbb`, `${files}/5f2c1d.cccc`],
    parameters: [
      ['root', '/dev/ram0'],
      ['text', ''],
    ],
  }

  it('fetches kernel and ramdisks from the appliance, and starts them with their parameters alone', () => {
    assert.equal(
      render(kernel),
      `#!ipxe

set verdict kernel
echo Rackstrap: node n1 (5f2c1d) boots the kernel of its instance.
set attempt:int32 0

:fetch
imgfree
kernel --timeout 60000 --name kernel http://192.168.50.1:8080/agent_images/5f2c1d.aaaa root=/dev/ram0 text initrd=ramdisk-0 initrd=ramdisk-1 || goto retry
initrd --timeout 60000 --name ramdisk-0 http://192.168.50.1:8080/agent_images/5f2c1d.bbbb || goto retry
initrd --timeout 60000 --name ramdisk-1 http://192.168.50.1:8080/agent_images/5f2c1d.cccc || goto retry
boot || goto give-up

:retry
inc attempt
iseq \${attempt} 10 && goto give-up ||
echo Trying again in \${attempt} s.
sleep \${attempt}
goto fetch

:give-up
echo The kernel of its instance could not be fetched or started; the reason is above.
prompt --timeout 30000 Rebooting in 30 s; press any key to reboot now. ||
reboot
`,
    )
  })

  it('boots an ISO as a drive', () => {
    assert.equal(
      render({ kind: 'iso', node: '5f2c1d', name: 'n1', iso_url: `${files}/5f2c1d.dddd` }),
      `#!ipxe

set verdict iso
echo Rackstrap: node n1 (5f2c1d) boots the ISO of its instance.
set attempt:int32 0

:fetch
imgfree
sanboot http://192.168.50.1:8080/agent_images/5f2c1d.dddd || goto retry

:retry
inc attempt
iseq \${attempt} 10 && goto give-up ||
echo Trying again in \${attempt} s.
sleep \${attempt}
goto fetch

:give-up
echo The ISO of its instance could not be fetched or started; the reason is above.
prompt --timeout 30000 Rebooting in 30 s; press any key to reboot now. ||
reboot
`,
    )
  })

  it('may be an ISO whose boot image a BIOS is given as a floppy disk', () => {
    const [iso_url, floppy_url] = [`${files}/5f2c1d.dddd`, `${files}/5f2c1d.dddd.floppy`]
    const script = render({ kind: 'iso', node: '5f2c1d', name: 'n1', iso_url, floppy_url })

    assert.equal(
      script.slice(script.indexOf(':fetch'), script.indexOf(':retry')),
      `:fetch
imgfree
iseq \${platform} efi || goto floppy
sanboot ${iso_url} || goto retry
:floppy
sanboot --drive 0x00 ${floppy_url} || goto retry

`,
    )
  })

  it('takes no parameter and no address by which a record would say more than it should', () => {
    const parameters = [
      ['quiet', ''],
      ['a', 'b || shell'],
    ] as const
    for (const iso_url of [
      'http://a/b c',
      'http://a/${x}',
      'http://a/b\nshell',
      'http://a',
      'tftp://a/b',
      "http://a/b'",
    ]) {
      assert.throws(() => render({ kind: 'iso', node: '5f2c1d', name: 'n1', iso_url }), PxeError, iso_url)
    }
    assert.throws(() => render({ ...kernel, parameters }), PxeError)
    assert.throws(() => render({ ...kernel, kernel_url: 'http://a/b || shell' }), PxeError)
    assert.throws(() => render({ ...kernel, parameters: [['x', 'y'.repeat(2048)]] }), /command line has \d+ characters/)
    assert.doesNotMatch(render({ ...kernel, name: 'n1\nshell || ${x}' }), /^shell|\$\{x/m)
  })

  it('is not begun while files of it are missing on the appliance', () => {
    const missing = 'instance_info/kernel is no longer in the image cache.'

    assert.throws(() => render({ ...kernel, missing }), { name: 'PxeError', message: missing })
  })

  it('says on the screen why it cannot be started', () => {
    const script = renderRefusal({ kind: 'kernel', node: '5f2c1d', name: '' }, 'There is no kernel.')

    assert.match(script, /^set verdict kernel$/m)
    assert.match(script, /^echo Rackstrap: node 5f2c1d cannot boot its instance\. There is no kernel\.$/m)
  })
})

describe('boot script of a machine that cannot be deployed', () => {
  it('says why on its screen, and reboots to ask again', () => {
    const script = renderRefusal(
      { kind: 'agent', node: '5f2c1d', name: '' },
      'Kernel parameters hold "${", which iPXE would expand.',
    )

    assert.equal(
      script,
      `#!ipxe

set verdict agent
:give-up
echo Rackstrap: node 5f2c1d cannot be deployed. Kernel parameters hold "$ {", which iPXE would expand.
prompt --timeout 30000 Rebooting in 30 s; press any key to reboot now. ||
reboot
`,
    )
  })
})
