/** Secrets at rest: never readable in state_path, bound to their place, and not to be had without the right key. */
import assert from 'node:assert/strict'
import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { seal } from '../../../appliance/records/storage/document.ts'
import { SecretKeyRefused, Secrets } from '../../../appliance/records/storage/secrets.ts'
import { filesIn, keptLog, openAt, someNode, stateFolder } from './state-folder.ts'

const UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const PASSWORD = 'correct horse battery staple'
const secretive = () =>
  someNode({
    uuid: UUID,
    driver_info: { ipmi_address: '192.0.2.1', ipmi_password: PASSWORD, snmp: [{ auth_passwd: PASSWORD }] },
    instance_info: { image_pull_secret: { user: 'u', text: PASSWORD } },
    driver_internal_info: { agent_secret_token: PASSWORD, agent_token_required: true },
  })

async function written(t: TestContext): Promise<string> {
  const state_path = stateFolder(t)
  const store = await openAt(t, state_path)
  await store.nodes.create(secretive())
  await store.close()
  return state_path
}

/** Files below a folder that hold one of the texts. */
const filesWith = (folder: string, texts: readonly string[]) =>
  filesIn(folder).filter((file) => {
    const content = readFileSync(join(folder, file), 'utf8')
    return texts.some((text) => content.includes(text))
  })

const refusedWith = (text: string) => (error: Error) => {
  assert.ok(error instanceof SecretKeyRefused)
  assert.equal(error.message, text)
  return true
}

describe('secrets of a record', () => {
  it('are in no file of state_path, neither in the journal nor in the documents, and are back after a start', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path, { checkpoint_delay_ms: 60_000 })
    const node = await store.nodes.create(secretive())
    const readable = () =>
      filesIn(state_path).filter((file) => readFileSync(join(state_path, file)).includes(PASSWORD.slice(0, 12)))
    const inJournal = readable()
    await store.close()
    const inDocuments = readable()

    const again = await openAt(t, state_path)

    assert.deepEqual([inJournal, inDocuments], [[], []])
    assert.deepEqual(again.nodes.get(UUID), node)
    const document = readFileSync(join(state_path, `nodes/${UUID}.json`), 'utf8')
    assert.match(document, /"ipmi_address":"192\.0\.2\.1","ipmi_password":"aes-256-gcm:/)
  })

  it('lie in files that nobody else on the box can read', async (t) => {
    const state_path = await written(t)

    const modes = filesIn(state_path).map((file) => (statSync(join(state_path, file)).mode & 0o777).toString(8))

    assert.deepEqual([...new Set(modes)], ['600'])
    assert.equal((statSync(join(state_path, 'nodes')).mode & 0o777).toString(8), '700')
  })

  it('are encrypted by a key for each record, HKDF of secret.key and the uuid, and bound to their place', async (t) => {
    const state_path = await written(t)
    const master = Buffer.from(readFileSync(join(state_path, 'secret.key'), 'latin1').slice(0, 64), 'hex')
    const { document } = JSON.parse(readFileSync(join(state_path, `nodes/${UUID}.json`), 'utf8'))

    const bytes = Buffer.from(document.record.driver_info.snmp[0].auth_passwd.slice('aes-256-gcm:'.length), 'base64')
    const key = Buffer.from(hkdfSync('sha256', master, '', UUID, 32))
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAuthTag(bytes.subarray(12, 28))
    decipher.setAAD(Buffer.from(JSON.stringify(['nodes', UUID, 'driver_info', 'snmp', '0', 'auth_passwd'])))
    const text = decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final('utf8')

    assert.equal(text, JSON.stringify(PASSWORD))
  })

  it('look different each time they are written', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path, { checkpoint_delay_ms: 60_000 })
    await store.nodes.create(secretive())
    await store.nodes.update(UUID, { extra: { touched: true } })

    const journal = readFileSync(join(state_path, 'journal/00000001.log'), 'utf8')

    const texts = [...journal.matchAll(/"ipmi_password":"([^"]+)"/g)].map(([, text]) => text)
    assert.equal(texts.length, 2)
    assert.notEqual(texts[0], texts[1])
  })

  it('are known by their keys, and their texts are not read for it, however long', (t) => {
    const secrets = new Secrets(join(stateFolder(t), 'secret.key'))
    const configdrive = `${randomBytes(12 * 1024 * 1024).toString('base64')}auth/QQ==`
    const spent_ms = () => {
      const before = process.cpuUsage()
      let hasPlain = false
      secrets.decrypt({ instance_info: { configdrive } }, { kind: 'nodes', uuid: UUID }, () => {
        hasPlain = true
      })
      assert.equal(hasPlain, true)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    }

    const least_ms = Math.min(...Array.from({ length: 5 }, spent_ms))

    assert.ok(least_ms < 20, `${least_ms} ms of processor time`)
  })

  it('keep a value that looks encrypted already as it was given', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    await store.nodes.create(someNode({ uuid: UUID, driver_info: { ipmi_password: 'aes-256-gcm:AAAA' } }))
    await store.close()

    const again = await openAt(t, state_path)

    assert.equal(again.nodes.get(UUID)?.driver_info.ipmi_password, 'aes-256-gcm:AAAA')
  })
})

const DRIVE = 'H4sIAconfigdrive'
const SIGNED = 'https://images.example/a?X-Amz-Signature=5f3a'
const WITH_PASSWORD = 'http://proxy:hunter2@proxy.example:3128'
const telling = {
  driver_info: { image_http_proxy: WITH_PASSWORD },
  instance_info: { configdrive: DRIVE, image_url: 'https://images.example/private', hrefs: ['plain', SIGNED] },
  extra: { api_key: 'abc-key', passphrase: 'abc-phrase', secret_count: 3, note: 'aes-256-gcm:AAAA' },
}
const PLAIN = [DRIVE, 'X-Amz-Signature', 'hunter2', 'images.example/private', 'abc-key', 'abc-phrase']

describe('what an older version kept in plain', () => {
  it('is encrypted as of now: config drives, signed addresses, passwords in URLs, and more words', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    await store.nodes.create(someNode({ uuid: UUID, ...telling }))
    await store.close()

    const again = await openAt(t, state_path)

    const { driver_info, instance_info, extra } = again.nodes.get(UUID) ?? {}
    assert.deepEqual({ driver_info, instance_info, extra }, telling)
    assert.deepEqual(filesWith(state_path, PLAIN), [])
    assert.match(readFileSync(join(state_path, `nodes/${UUID}.json`), 'utf8'), /"secret_count":3/)
  })

  it('is encrypted at the next start: in the document, the generation before it, and the journal', async (t) => {
    const state_path = stateFolder(t)
    const store = await openAt(t, state_path)
    const node = await store.nodes.create(someNode({ uuid: UUID }))
    await store.close()
    const document = { seq: 7, created_seq: 1, kind: 'nodes', uuid: UUID, record: { ...node, ...telling } }
    const file = join(state_path, `nodes/${UUID}.json`)
    const { extra: _none, ...older } = document.record
    writeFileSync(file, seal(document))
    writeFileSync(`${file}.previous`, seal({ ...document, seq: 6, record: older }))
    writeFileSync(join(state_path, 'journal/00000009.log'), seal({ ...document, seq: 5 }) + seal(document))

    const { log, lines } = keptLog()
    const again = await openAt(t, state_path, { log })
    const kept = again.nodes.get(UUID)
    await again.close()

    assert.deepEqual(kept?.instance_info, telling.instance_info)
    assert.deepEqual(filesWith(state_path, PLAIN), [])
    assert.deepEqual(
      lines.map(({ message, records }) => [message, records]),
      [['secrets of an older version encrypted', 1]],
    )
    const last = await openAt(t, state_path)
    assert.deepEqual(last.nodes.get(UUID), kept)
  })
})

describe('secret.key', () => {
  it('is made at the first start, and stays', async (t) => {
    const state_path = await written(t)
    const key = readFileSync(join(state_path, 'secret.key'), 'utf8')

    await (await openAt(t, state_path)).close()

    assert.match(key, /^[0-9a-f]{64}\n[0-9a-f]{64}\n$/)
    assert.equal(readFileSync(join(state_path, 'secret.key'), 'utf8'), key)
    assert.equal(readFileSync(join(state_path, 'secret.key.copy'), 'utf8'), key)
  })

  it('that is missing with its copy stops the start when records need it', async (t) => {
    const state_path = await written(t)
    const key = join(state_path, 'secret.key')
    for (const suffix of ['', '.copy']) rmSync(key + suffix)

    await assert.rejects(
      openAt(t, state_path),
      refusedWith(
        `${key} is missing, and the secrets of nodes/${UUID} are encrypted with it. Put the key file back from a backup: ` +
          `without it the passwords in ${state_path} are lost.`,
      ),
    )
    assert.deepEqual(
      filesIn(state_path).filter((file) => file.startsWith('secret')),
      [],
    )
  })

  it('that is damaged with its copy stops the start', async (t) => {
    const state_path = await written(t)
    const key = join(state_path, 'secret.key')
    for (const suffix of ['', '.copy']) writeFileSync(key + suffix, 'no key\n')

    await assert.rejects(
      openAt(t, state_path),
      refusedWith(
        `${key} is damaged and ${key}.copy is damaged: expected 64 hexadecimal digits and their sha256. ` +
          `Put the key file back from a backup: without it the passwords in ${state_path} are lost.`,
      ),
    )
  })

  it('of another state_path stops the start, and the right one put back helps', async (t) => {
    const state_path = await written(t)
    const other = await written(t)
    const key = join(state_path, 'secret.key')
    const right = readFileSync(key)
    copyFileSync(join(other, 'secret.key'), key)

    await assert.rejects(
      openAt(t, state_path),
      refusedWith(
        `${key} is not the key that the secrets of nodes/${UUID} were encrypted with (driver_info/ipmi_password does not decrypt). ` +
          `Put the right key file back: without it the passwords in ${state_path} are lost.`,
      ),
    )
    writeFileSync(key, right)
    const { nodes } = await openAt(t, state_path)

    assert.equal(nodes.get(UUID)?.driver_info.ipmi_password, PASSWORD)
  })
})
