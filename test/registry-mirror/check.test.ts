/** What is said of a configuration before a registry is started by it. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { RegistryConfig } from '../../registry-mirror/config/config.ts'
import { checkRegistry } from '../../registry-mirror/index.ts'
import { configOf, temporaryFolder } from './registry.ts'

/** `{SHA}` of "secret". */
const ALICE = 'alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n'

function given(t: TestContext, users: string) {
  const folder = temporaryFolder(t)
  const htpasswd_file = join(folder, 'htpasswd')
  writeFileSync(htpasswd_file, users)
  const check = (change: Partial<RegistryConfig>) => checkRegistry({ ...configOf(folder), htpasswd_file, ...change })
  return { folder, htpasswd_file, check }
}

describe('a configuration of the registry', () => {
  it('that is right has nothing to be said of', async (t) => {
    const { check } = given(t, ALICE)

    const access_rules = ['* push,delete alice', 'public/* pull anyone']

    assert.deepEqual(await check({ access_rules, gc_at: '0 3 * * *' }), { errors: [], warnings: [] })
  })

  it('has all told at once that keeps the registry from starting', async (t) => {
    const { check, htpasswd_file, folder } = given(t, `${ALICE}bob:plain\n`)

    const access_rules = ['team push', '* pull anyone', '* fly alice']
    const { errors } = await check({
      access_rules,
      gc_at: 'daily',
      token_file: join(folder, 'tokens'),
      key_file: '/etc/key',
    })

    const rule =
      "is no rule: expected PATTERN ACTIONS WHO, such as 'team-a/* push,delete alice,bob': * in a pattern stands for anything; ACTIONS are of pull, push, delete; WHO is anyone, users, nobody, or names."
    assert.deepEqual(errors, [
      '[registry] cert_file is not set: TLS needs cert_file and key_file; for plain http set neither.',
      "[registry] gc_at is 'daily': expected minute, hour, day, month and weekday, such as 0 3 * * * (each day at three).",
      `${htpasswd_file}:2: the password of bob is kept in a way that is not known here: expected bcrypt ($2y$, htpasswd -B), SHA-crypt ($5$ or $6$, htpasswd -2 or -5, openssl passwd -6), yescrypt ($y$, mkpasswd) or {SHA} (htpasswd -s). Set it again in one of these.`,
      `[registry] token_file ${folder}/tokens cannot be read: ENOENT: no such file or directory, stat '${folder}/tokens'.`,
      `[registry] access_rules: 'team push' ${rule}`,
      `[registry] access_rules: '* fly alice' ${rule}`,
    ])
  })

  it('is warned of when its rules let in who is not there', async (t) => {
    const { check } = given(t, ALICE)

    assert.deepEqual((await check({ access_rules: ['* push alice,alcie'] })).warnings, [
      "[registry] access_rules: 'alcie' of '* push alice,alcie' is in neither htpasswd_file nor token_file.",
    ])
    assert.deepEqual((await check({ htpasswd_file: undefined, access_rules: ['* pull users'] })).warnings, [
      "[registry] access_rules: '* pull users' is for users, and there are none: set htpasswd_file or token_file.",
    ])
  })
})
