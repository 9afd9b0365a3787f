/** What `ansible` needs of the box, and of its files there. */
import type { Values } from '@appliance/core/plugin-api'
import { type AnsibleTask, keyFileOf, playbookFor, playbooksPath } from './node-fields.ts'
import type { AnsibleOptions } from './options.ts'

type Look = Pick<AnsibleTask, 'missing'> & { options: Values<AnsibleOptions> }

const OLDEST = [2, 14] as const

/** @returns what is missing, in one sentence */
export async function missingPrograms({ missing, options }: Look): Promise<string | undefined> {
  const script = options.ansible_playbook_script
  const absent = await missing({ programs: [script, 'ssh', 'ssh-keygen'] })
  if (absent.length === 0) return undefined
  return (
    `The deploy interface ansible needs ${absent.join(' and ')}, not found on this box: ` +
    `apt-get install ansible-core openssh-client${absent.includes(script) ? ', or correct [ansible] ansible_playbook_script' : ''}.`
  )
}

/** @returns what is missing, or too old, in one sentence */
export async function problemOfBox(box: Look & Pick<AnsibleTask, 'exec'>): Promise<string | undefined> {
  const absent = await missingPrograms(box)
  if (absent !== undefined) return absent
  const script = box.options.ansible_playbook_script
  const { stdout } = await box.exec(script, ['--version'], { env: { HOME: '/nonexistent' } })
  const [, version = '?', major, minor] = /\[core ((\d+)\.(\d+)[^\]]*)\]/.exec(stdout) ?? []
  if (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])) return undefined
  return `${script} is ansible-core ${version}: ${OLDEST.join('.')} or later is needed.`
}

/** @throws failure  a file that the node or the options name cannot be read */
export async function checkFiles(task: AnsibleTask): Promise<void> {
  const key = keyFileOf(task)
  const playbooks = (['deploy', 'shutdown'] as const).map((action) => playbookFor(task, action))
  const files = [...playbooks, `${playbooksPath(task)}/inventory`, ...(key === undefined ? [] : [key])]
  const [absent] = await task.missing({ files })
  if (absent === undefined) return
  throw task.failure(
    absent === key
      ? `The SSH key ${absent} of node ${task.node.uuid} cannot be read by the appliance: correct driver_info/ansible_key_file or [ansible] default_key_file.`
      : `${absent} is no file that the appliance can read: correct driver_info/ansible_playbooks_path of node ${task.node.uuid}, its names of playbooks, or [ansible] playbooks_path.`,
  )
}
