/** The deploy interface ansible with real ansible-core, over a real sshd on loopback. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Json } from '../../appliance/plugin-api/index.ts'
import { NODE_UUID } from '../../appliance/plugin-testing/task-on-paper.ts'
import { readCleanSteps } from '../../plugins/ansible/clean-steps.ts'
import { runPlaybook } from '../../plugins/ansible/run-playbook.ts'
import { createRig, LACKING, type Rig, variables } from './ansible-rig.ts'

const OTHER_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGn8bPHkVvDxpRGQhOvS6vRQyVd0xVtBqlsUCaOqGzZp'

describe('a playbook of the deploy interface ansible', {
  skip: LACKING !== undefined && `this box has no ${LACKING}`,
  timeout: 300_000,
}, () => {
  let rig: Rig
  before(async () => {
    rig = await createRig()
  })
  after(() => rig[Symbol.asyncDispose]())

  const run = (playbook: string, o: { given?: Json; values?: Json; signal?: AbortSignal; tags?: string[] } = {}) =>
    runPlaybook(
      rig.task({ values: { default_deploy_playbook: playbook, ...o.values }, ...(o.signal && { signal: o.signal }) }),
      { action: 'deploy', variables: o.given ?? variables(), ...(o.tags && { tags: o.tags }) },
    )
  const out = (name: string) => join(rig.folder, name)

  it('reaches the machine with the pinned key, tells each task, and leaves its output to the owner alone', async () => {
    await rig.playbook(
      'fine.yaml',
      '- name: say hello\n  command: echo hello\n- name: say goodbye\n  command: echo bye\n',
    )

    await run('fine.yaml')

    const notes = rig.told.map(({ note }) => note)
    assert.deepEqual(
      [...new Set(notes)],
      ['fine.yaml', 'fine.yaml: add_host', 'fine.yaml: say hello', 'fine.yaml: say goodbye'],
    )
    const [log = ''] = await readdir(rig.log_path)
    assert.match(log, new RegExp(`^\\d{4}-.*_${NODE_UUID}_deploy\\.log$`))
    assert.equal((await stat(join(rig.log_path, log))).mode & 0o777, 0o600)
    assert.match(await readFile(join(rig.log_path, log), 'utf8'), /TASK \[say goodbye\]/)
    assert.equal((await stat(join(rig.folder, 'p/variables.yaml'))).mode & 0o777, 0o600)
  })

  it('renders nothing that a record holds, wherever it uses it', async () => {
    const evil = `{{ lookup('pipe', 'touch ${out('pwned')}') }}`
    const extra = {
      text: evil,
      lines: `a\n${evil}\r\n- name: x\u0085\u2028"\\é\u{1f600}`,
      [`{{ 1 + 1 }} ${'k'}`]: [evil, { deep: evil }],
      block: '{% for x in [1] %}{{ x }}{% endfor %}',
    }
    await rig.playbook(
      'evil.yaml',
      `- copy: { dest: ${out('extra.json')}, content: "{{ ironic_extra | to_json }}" }
- copy: { dest: ${out('text')}, content: "<{{ ironic.nodes[0].extra.text }}>" }
- set_fact: { again: "{{ ironic.nodes[0].extra.lines }}" }
- copy: { dest: ${out('again')}, content: "{{ again }}" }
- debug: { msg: "{{ ironic.image.name }} {{ ironic }}" }
`,
    )

    await run('evil.yaml', { given: { ...variables(extra), image: { name: evil } } })

    assert.deepEqual(JSON.parse(await readFile(out('extra.json'), 'utf8')), extra)
    assert.equal(await readFile(out('text'), 'utf8'), `<${evil}>`)
    assert.equal(await readFile(out('again'), 'utf8'), extra.lines)
    assert.equal(existsSync(out('pwned')), false)
  })

  it('that fails is told in the words of its task', async () => {
    await rig.playbook('fail.yaml', '- name: write the disk\n  shell: echo "the disk is on fire" >&2; exit 3\n')
    await rig.playbook('loop.yaml', '- name: each\n  fail: { msg: "no {{ item }}" }\n  loop: [disk]\n')
    await rig.playbook('hidden.yaml', '- name: hush\n  command: sh -c "echo hunter2; exit 1"\n  no_log: true\n')

    await assert.rejects(run('fail.yaml'), {
      message: 'Task "write the disk" of fail.yaml failed: the disk is on fire',
    })
    await assert.rejects(run('loop.yaml'), { message: 'Task "each" of loop.yaml failed: no disk' })
    await assert.rejects(run('hidden.yaml'), {
      message: 'Task "hush" of hidden.yaml failed: its output is hidden (no_log)',
    })
  })

  it('with a syntax error is told with its place', async () => {
    await rig.playbook('syntax.yaml', '- name: two at once\n  command: echo a\n  shell: echo b\n')

    await assert.rejects(run('syntax.yaml'), {
      message: /^syntax\.yaml: conflicting action statements: .*\(.*\/syntax\.yaml, line 6\)$/,
    })
  })

  it('sends nothing to a machine with another host key', async () => {
    await rig.playbook('touch.yaml', `- name: touch\n  command: touch ${out('reached')}\n`)
    const task = rig.task({
      values: { default_deploy_playbook: 'touch.yaml' },
      facts: { ssh: { ssh_host_keys: [OTHER_KEY] } },
    })

    await assert.rejects(runPlaybook(task, { action: 'deploy', variables: variables() }), {
      message: /^The SSH server at 127\.0\.0\.1 has another host key than this machine's: nothing was sent to it\./,
    })
    assert.equal(existsSync(out('reached')), false)
  })

  it('says that a machine cannot be reached', async () => {
    await rig.playbook('touch.yaml', '- name: touch\n  command: "true"\n')

    await assert.rejects(run('touch.yaml', { values: { ansible_extra_args: '-e ansible_port=1' } }), {
      message: /^The machine cannot be reached by SSH at 127\.0\.0\.1 \(task "touch" of touch\.yaml\): .*refused/,
    })
  })

  it('that never ends is ended, and told with the task that it was at', async () => {
    await rig.playbook('forever.yaml', '- name: wait for ever\n  command: sleep 3000\n')

    await assert.rejects(run('forever.yaml', { values: { playbook_timeout: 6 } }), {
      message:
        'The playbook forever.yaml did not end within 6 s ([ansible] playbook_timeout); it was at its task "wait for ever".',
    })
  })

  it('ends at once when the deploy is called off', async () => {
    await rig.playbook('forever.yaml', '- name: wait for ever\n  command: sleep 3000\n')
    const called = new AbortController()
    rig.told.length = 0

    const running = run('forever.yaml', { signal: called.signal })
    const end_ms = performance.now() + 30_000
    while (!rig.told.some(({ note }) => note.includes('wait for ever'))) {
      assert.ok(performance.now() < end_ms)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    called.abort(new Error('By request, the deploy was aborted'))

    await assert.rejects(running, { message: 'By request, the deploy was aborted' })
  })

  it('runs by tag', async () => {
    await rig.playbook(
      'tags.yaml',
      `- command: touch ${out('one')}\n  tags: one\n- command: touch ${out('two')}\n  tags: two\n`,
    )

    await run('tags.yaml', { tags: ['two'] })

    assert.deepEqual([existsSync(out('one')), existsSync(out('two'))], [false, true])
  })

  it('has its clean steps read by the Python of ansible, and refused with their file when they are none', async () => {
    const file = join(rig.folder, 'playbooks/clean_steps.yaml')
    await writeFile(file, '- name: zap\n  priority: 9\n  interface: deploy\n  args: { tags: { value: [zap] } }\n')

    assert.deepEqual(await readCleanSteps(rig.task()), {
      clean_steps: [{ step: 'zap', priority: 9, argsInfo: { tags: { description: '' } }, values: { tags: ['zap'] } }],
    })
    await writeFile(file, '- name: [zap\n')
    await assert.rejects(readCleanSteps(rig.task()), {
      message: new RegExp(
        `^Failed to load clean steps from file ${file}: while parsing a flow sequence in "${file}", line 1`,
      ),
    })
    await writeFile(file, '- priority: 9\n')
    await assert.rejects(readCleanSteps(rig.task()), {
      message: `Malformed clean_steps file: name undefined, field name (${file})`,
    })
  })
})
