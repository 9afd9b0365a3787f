import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkKernelParameters, parseKernelParameters, renderKernelParameter } from '../../pxe/kernel-parameters.ts'

const carried = (text: string) => parseKernelParameters(text).map(renderKernelParameter).join(' ')

describe('kernel parameters of a record', () => {
  it('reach the kernel as they were written', () => {
    for (const text of [
      '',
      'nofb vga=normal',
      'console=ttyS0,115200n8 console=tty0',
      'dyndbg="file a.c +p" quiet',
      '"some words"',
      'root=',
      'a=b=c ipa-api-url=http://[fd66::1]:6385/?x=1&y=%20',
      'a|b a;b a&&b a#b $x $(y) {z} `w` *?<>!~^@,:',
    ]) {
      assert.equal(carried(text), text)
    }
    assert.equal(carried('  nofb \t\t vga=normal '.replaceAll('\t', ' ')), 'nofb vga=normal')
  })

  it('are told apart into key and value', () => {
    assert.deepEqual(parseKernelParameters('nofb root=/dev/sda1 rootflags=a=b dyndbg="file a.c +p" init='), [
      ['nofb', ''],
      ['root', '/dev/sda1'],
      ['rootflags', 'a=b'],
      ['dyndbg', 'file a.c +p'],
      ['init=', ''],
    ])
  })

  const refusals = [
    ['nofb\nreboot', 'a line break or another control character'],
    ['nofb\treboot', 'a line break or another control character'],
    ['näme=x', 'a character that is not ASCII'],
    ['a=${net0/mac}', '"${", which iPXE would expand'],
    ['a=$${x', '"${", which iPXE would expand'],
    ['nofb || reboot', 'a word "||", "&&" or ";", which would end the command in iPXE'],
    ['nofb ;', 'a word "||", "&&" or ";", which would end the command in iPXE'],
    ['a="b && c"', 'a word "||", "&&" or ";", which would end the command in iPXE'],
    ['nofb #comment', 'a word that begins with "#", which would begin a comment in iPXE'],
    ['nofb \\', 'a backslash or a single quote, which neither iPXE nor the kernel can escape'],
    ["a='b c'", 'a backslash or a single quote, which neither iPXE nor the kernel can escape'],
    ['a="b', 'double quotes that are not around a whole value, or spaces in them that iPXE would join'],
    ['a=b"c"', 'double quotes that are not around a whole value, or spaces in them that iPXE would join'],
    ['a="b  c"', 'double quotes that are not around a whole value, or spaces in them that iPXE would join'],
    ['x'.repeat(1025), '1025 characters; the limit is 1024'],
  ] as const
  for (const [text, found] of refusals) {
    it(`are refused with ${found}: ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.throws(() => checkKernelParameters(text), {
        name: 'PxeError',
        message: `Kernel parameters hold ${found}. Remove it.`,
      })
    })
  }

  it('are refused when a value from elsewhere cannot be quoted', () => {
    for (const parameter of [
      ['a', 'b"c'],
      ['a', ' b'],
      ['a', 'b  c'],
      ['', 'b'],
      ['a b', 'c'],
      ['a=b', 'c'],
    ] as const) {
      assert.throws(() => renderKernelParameter(parameter), { name: 'PxeError' }, parameter.join('|'))
    }
  })
})
