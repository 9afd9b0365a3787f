/** A line of the log: JSON for journald, a constant message, the variables as fields - and never a secret. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { maskSecrets } from '@appliance/ground/secret-words'
import { AgentFailure } from '../../appliance/errors.ts'
import { createLog, type LogLevel } from '../../appliance/log.ts'
import type { Json } from '../../appliance/plugin-api/index.ts'

const SECRET = 'correct-horse'

function lineOf(fields: Json): Json {
  const lines: string[] = []
  createLog('info', (line) => lines.push(line)).info('a message', fields)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^[^\n]+\n$/)
  return JSON.parse(lines[0] ?? '') as Json
}
const fieldsOf = (fields: Json): Json => {
  const { level: _level, time: _time, message: _message, ...rest } = lineOf(fields)
  return rest
}

describe('a line of the log', () => {
  it('has level, time and message, then the fields as they are', () => {
    const { time, ...rest } = lineOf({ node: 'n1', duration_s: 41.2, ok: true, nothing: null, list: [1, 'ü\n'] })

    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(rest, {
      level: 'info',
      node: 'n1',
      duration_s: 41.2,
      ok: true,
      nothing: null,
      list: [1, 'ü\n'],
      message: 'a message',
    })
  })

  it('is written from the configured level on', () => {
    const written = (level: LogLevel) => {
      const messages: unknown[] = []
      const log = createLog(level, (line) => messages.push(JSON.parse(line).message))
      for (const name of ['debug', 'info', 'warn', 'error'] as const) log[name](name)
      return messages
    }

    assert.deepEqual(written('debug'), ['debug', 'info', 'warn', 'error'])
    assert.deepEqual(written('warn'), ['warn', 'error'])
  })

  it('cannot be forged by a field of the name of one of its own', () => {
    const line = lineOf({ message: 'all is well', level: 'debug', time: 'never' })

    assert.deepEqual([line.message, line.level], ['a message', 'info'])
    assert.deepEqual([line.message_, line.level_, line.time_], ['all is well', 'debug', 'never'])
  })

  it('shows dates, URLs, maps, sets and bytes so that a person can read them, and ends in circles', () => {
    const circle: Json = {}
    circle.again = circle
    const shown = fieldsOf({
      date: new Date(0),
      url: new URL('http://192.0.2.1/a?b=c'),
      map: new Map([['a', 1]]),
      set: new Set(['b']),
      bytes: Buffer.alloc(1000),
      circle,
    })

    assert.deepEqual(
      { ...shown, circle: undefined },
      {
        date: '1970-01-01T00:00:00.000Z',
        url: 'http://192.0.2.1/a?b=c',
        map: { a: 1 },
        set: ['b'],
        bytes: '1000 bytes',
        circle: undefined,
      },
    )
    assert.match(JSON.stringify(shown.circle), /"again":"\.\.\."/)
  })
})

describe('a secret', () => {
  it('is masked under every key that looks like one, at any depth', () => {
    const keys = [
      'password',
      'ipmi_password',
      'redfish_Password',
      'auth_passwd',
      'secret',
      'image_pull_secret',
      'agent_token',
      'agent_secret_token',
      'authorization',
      'ssh_private_key',
      'credentials',
      'ipmi_kg_key',
    ]
    const secrets = Object.fromEntries(keys.map((key) => [key, SECRET]))

    const shown = fieldsOf({ ...secrets, node: { driver_info: { ...secrets, list: [{ snmp: secrets }] } } })

    const masked = Object.fromEntries(keys.map((key) => [key, '******']))
    assert.deepEqual(shown, { ...masked, node: { driver_info: { ...masked, list: [{ snmp: masked }] } } })
  })

  it('is masked whole when it is a table, a list or a number; that there is none is shown', () => {
    assert.deepEqual(
      fieldsOf({ password: { a: SECRET }, tokens: [SECRET], secret: 7, agent_token: null, token_required: true }),
      { password: '******', tokens: '******', secret: '******', agent_token: null, token_required: true },
    )
  })

  it('is masked in the fields of errors, of those in errors, and in objects of classes', () => {
    class Access {
      address = '192.0.2.1'
      password = SECRET
    }
    const error = Object.assign(new Error('refused'), {
      options: { headers: { authorization: SECRET } },
      ipmi_password: SECRET,
    })
    const all = fieldsOf({
      error,
      many: new AggregateError([error], 'all of them'),
      wrapped: new Error('outer', { cause: error }),
      list: [error],
      access: new Access(),
    })

    assert.doesNotMatch(JSON.stringify(all), new RegExp(SECRET))
    assert.deepEqual(all.access, { address: '192.0.2.1', password: '******' })
  })

  it('is masked in texts where a URL, a query, a command line or the environment gives it away', () => {
    const texts = {
      url: `http://admin:${SECRET}@192.0.2.1/redfish`,
      query: `GET /v1/commands/?wait=true&agent_token=${SECRET}&x=1`,
      kernel: `quiet ipa-agent-token=${SECRET} nofb`,
      environment: `IPMI_PASSWORD=${SECRET} ipmitool power on`,
      json: `{"username": "ticket","password":"${SECRET}","auths":{"quay.io":{"auth" : "${SECRET}"}},"author":"me"}`,
    }

    assert.deepEqual(fieldsOf(texts), {
      url: 'http://admin:******@192.0.2.1/redfish',
      query: 'GET /v1/commands/?wait=true&agent_token=******&x=1',
      kernel: 'quiet ipa-agent-token=****** nofb',
      environment: 'IPMI_PASSWORD=****** ipmitool power on',
      json: '{"username": "ticket","password":"******","auths":{"quay.io":{"auth" : "******"}},"author":"me"}',
    })
    assert.doesNotMatch(JSON.stringify(fieldsOf({ error: new Error(texts.query) })), new RegExp(SECRET))
  })

  it('is masked in a copy; what was given stays as it was', () => {
    const given = { driver_info: { ipmi_password: SECRET, ipmi_address: 'a' } }

    const shown = maskSecrets(given)

    assert.deepEqual(shown, { driver_info: { ipmi_password: '******', ipmi_address: 'a' } })
    assert.equal(given.driver_info.ipmi_password, SECRET)
  })
})

describe('an error in the log', () => {
  it('tells its class, code, message and stack, and those of its causes', () => {
    const { error } = fieldsOf({ error: new AgentFailure('no answer', { cause: new Error('socket closed') }) })

    const { type, message, stack, code } = error as Record<string, string>
    assert.deepEqual({ type, message, code }, { type: 'AgentFailure', message: 'no answer: socket closed', code: 502 })
    assert.match(stack ?? '', /^AgentFailure: no answer\n +at .*log\.test\.ts.*\ncaused by: Error: socket closed\n/s)
  })

  it('is told under any key and in lists', () => {
    const { reason, list } = fieldsOf({ reason: new Error('one'), list: [new Error('two')] }) as {
      reason: Json
      list: Json[]
    }

    assert.deepEqual([reason.message, list[0]?.message], ['one', 'two'])
  })

  it('may be anything that was thrown', () => {
    assert.deepEqual(fieldsOf({ error: 'a text' }), { error: 'a text' })
    assert.deepEqual(fieldsOf({ error: null }), { error: null })
  })
})
