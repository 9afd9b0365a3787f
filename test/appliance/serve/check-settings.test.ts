/** What `config check` says of the registry mirror and the files that it is told of. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mirrorFindings, problemsOf } from '../../../appliance/serve/check-settings.ts'
import { settingsOf } from './settings.ts'

const findingsOf = async (...lines: string[]) => mirrorFindings(await settingsOf(['[registry]', ...lines].join('\n')))

describe('a check of the registry', () => {
  it('has nothing to say of the defaults', async () => {
    assert.deepEqual(await findingsOf(), { errors: [], warnings: [] })
  })

  it('tells of files, rules, and what goes ill together', async () => {
    const { errors } = await findingsOf(
      'tls = own',
      'cert_file = /nowhere.crt',
      'key_file = /nowhere.key',
      'htpasswd_file = /nowhere.htpasswd',
      'access_rules = everything',
    )

    assert.deepEqual(
      errors.map((error) => error.replace(/: expected PATTERN.*/, '')),
      [
        "[registry] cert_file /nowhere.crt cannot be used: ENOENT: no such file or directory, open '/nowhere.crt'. Expected a file in PEM.",
        "[registry] htpasswd_file /nowhere.htpasswd cannot be read: ENOENT: no such file or directory, stat '/nowhere.htpasswd'.",
        "[registry] access_rules: 'everything' is no rule",
        '[registry] tls is own, and cert_file is given: expected one of the two. Set tls = auto, or drop cert_file and key_file.',
      ],
    )
  })

  it('warns of a registry that machines cannot reach', async () => {
    const { warnings } = await findingsOf('enabled = True')

    assert.deepEqual(warnings, [
      "[registry] host_ip is 127.0.0.1, where no machine reaches the registry: to deploy from it, set the address of this box on the rack's side (192.0.2.1).",
    ])
  })

  it('warns of rules for nobody', async () => {
    const { warnings } = await findingsOf('access_rules = * push alice')

    assert.deepEqual(warnings, [
      "[registry] access_rules: 'alice' of '* push alice' is in neither htpasswd_file nor token_file.",
    ])
  })
})

describe('a deploy interface that chooses among others', () => {
  const problems = async (enabled: string, among: string) => {
    const text = `[DEFAULT]\nenabled_deploy_interfaces = ${enabled}\nautodetect_deploy_interfaces = ${among}\n`
    return problemsOf(await settingsOf(text)).filter((problem) => problem.includes('chooses'))
  }

  it('has nothing wrong when all of them are enabled, loaded or not', async () => {
    assert.deepEqual(await problems('direct,autodetect,nosuch', 'nosuch,direct'), [])
  })

  it('keeps the appliance from starting when one is not enabled', async () => {
    const [problem] = await problems('autodetect,direct', 'bootc,direct')

    assert.match(
      String(problem),
      /^\S+rackstrap\.conf:3: The deploy interface autodetect chooses among others, and \[DEFAULT\] autodetect_deploy_interfaces names "bootc", which is not enabled \(autodetect, direct\)\. Add it to \[DEFAULT\] enabled_deploy_interfaces, or take it out of \[DEFAULT\] autodetect_deploy_interfaces\.$/,
    )
  })
})
