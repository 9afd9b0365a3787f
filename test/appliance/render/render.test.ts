/** Templates of strangers, rendered by real processes with real limits. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRenderer, TEMPLATE_LIMIT_BYTES } from '../../../appliance/render/render.ts'

const DEADLINE_MS = 60_000
const TOKEN = 'a-token-of-this-deploy'
const renderer = createRenderer()

const render = (template: string, variables = {}) =>
  renderer.render({ template, variables, name: 'of a test', signal: AbortSignal.timeout(DEADLINE_MS) })

describe('a template', { timeout: DEADLINE_MS, concurrency: true }, () => {
  it('is rendered as Jinja2 renders it: blocks, loops, filters, enumerate, one newline less at the end', async () => {
    const template = [
      "{% if 'url' in o -%}\nurl {{ o.url }}\n{% else -%}\nnone\n{% endif -%}",
      '{% for i, name in enumerate(names) %}{{ i }}={{ name | upper }}{% if not loop.last %}, {% endif %}{% endfor %}',
      '{# nobody sees this #}<&">{{ missing | default("-") }}\n',
    ].join('\n')

    const text = await render(template, { o: { url: 'http://x/?a=1&b=2' }, names: ['a', 'b'] })

    assert.equal(text, 'url http://x/?a=1&b=2\n0=A, 1=B\n<&">-')
  })

  const REFUSED: readonly (readonly [what: string, template: string, why: string | RegExp])[] = [
    ['uses a variable that there is not', 'a\n\n{{ nope }}', 'line 3: a variable is used that there is not.'],
    ['is broken', 'a\n{% if %}', 'line 2: syntax error: unexpected end of block.'],
    [
      'reads a file',
      '{% include "/etc/passwd" %}',
      'line 1: template not found: tried to include non-existing template "/etc/passwd".',
    ],
    [
      'reaches for JavaScript',
      '{{ enumerate.constructor("return process")() }}',
      'line 1: unknown method: plain object has no method named constructor.',
    ],
    ['reaches for Python', "\n{{ ''.__class__.__mro__ }}", 'line 2: a variable is used that there is not.'],
    [
      'loops for ever',
      '{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}',
      'line 1: it does too much, such as a loop that does not end soon.',
    ],
    [
      'calls itself',
      '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}',
      'line 1: invalid operation: recursion limit exceeded.',
    ],
    ['takes all memory', '{{ [1] * 100000000 }}', 'it needs more memory or nesting than a template gets.'],
    ['is nested without end', `{{ ${'-'.repeat(200_000)}1 }}`, 'it needs more memory or nesting than a template gets.'],
    ['becomes too long', '{{ "a" * 2000000 }}', 'its text has 2000000 bytes: at most 1048576 are taken.'],
    ['is too long', 'x'.repeat(300_000), `it has 300000 bytes: at most ${TEMPLATE_LIMIT_BYTES} are taken.`],
  ]
  for (const [what, template, why] of REFUSED) {
    it(`that ${what} is refused in one sentence`, async () => {
      await assert.rejects(render(template, {}), { message: `The template of a test cannot be used: ${why}` })
    })
  }

  it('that is refused does not bring what it was told into the message', async () => {
    const failed = await render('{% include o.token %}', { o: { token: TOKEN } }).catch(({ message }) => message)

    assert.match(failed, /non-existing template "\*{6}"/)
  })

  it('is given up with its procedure', async () => {
    const signal = AbortSignal.abort(new Error('called off'))

    await assert.rejects(renderer.render({ template: 'x', variables: {}, name: 'of a test', signal }), {
      message: 'called off',
    })
  })
})
