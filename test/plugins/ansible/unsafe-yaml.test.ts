/** What Ansible is told of a node, as it stands in the file. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { unsafeYaml } from '../../../plugins/ansible/unsafe-yaml.ts'

describe('a text for ansible', () => {
  for (const text of ['http://172.22.0.1:8080/a_b-c.raw?x=1&y=2', 'sha256:00ff', '/tmp/x y', '']) {
    it(`is not marked when it can be no expression: ${JSON.stringify(text)}`, () => {
      assert.equal(unsafeYaml({ text }), `{? "text" : "${text}"}`)
    })
  }

  for (const text of [
    '{{ x }}',
    '{% x %}',
    '{# x #}',
    "lookup('pipe', 'id')",
    'x|d',
    'a[0]',
    'a\nb',
    '"',
    '%x',
    '~',
    'é',
  ]) {
    it(`is marked unsafe when it could be one: ${JSON.stringify(text)}`, () => {
      assert.match(unsafeYaml({ text }), /^\{\? "text" : !unsafe "/)
    })
  }

  it('leaves numbers as they are, for conditions', () => {
    assert.equal(
      unsafeYaml({ image: { mem_req: 311, type: 'whole-disk' } }),
      '{? "image" : {? "mem_req" : 311, ? "type" : "whole-disk"}}',
    )
  })
})
