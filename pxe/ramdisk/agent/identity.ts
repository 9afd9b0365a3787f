/**
 * Token, address and certificate of this agent. They outlive its process: Ironic gives a token once for each boot of
 * the machine.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AgentContext } from './commands/context.ts'
import { type Certificate, makeCertificate } from './protocol/certificate.ts'
import type { IronicApi, Lookup } from './protocol/ironic-api.ts'

export type Identity = {
  uuid: string
  address: string
  agent_token: string | undefined
  certificate: Certificate | undefined
}

/** @source ironic-python-agent agent.py: shorter ones are placeholders */
const TOKEN_LENGTH = 32
const fileOf = (root: string) => join(root, 'run/agent/identity.json')

/** Taken from the lookup, or from the file that the agent wrote before it was started again in this boot. */
export async function identityOf(
  { node, config }: Lookup,
  { address, api, agent }: { address: string; api: IronicApi; agent: AgentContext },
): Promise<Identity> {
  const known = await recall(agent.root)
  const before = known.uuid === node.uuid ? known : undefined
  const given = typeof config.agent_token === 'string' && config.agent_token.length >= TOKEN_LENGTH
  const agent_token = given ? String(config.agent_token) : (agent.options.agent_token ?? before?.agent_token)
  if (!agent_token) {
    agent.screen.say(
      `${api.url} has given this node's agent token away already, to a machine with the same MAC address or in an earlier boot. ` +
        'Power the machine off and deploy the node again.',
    )
  }
  const certificate = before?.address === address ? before.certificate : newCertificate(address, api, agent)
  const identity = { uuid: node.uuid, address, agent_token, certificate }
  await keep(agent.root, identity)
  return identity
}

function newCertificate(address: string, api: IronicApi, { options }: AgentContext): Certificate | undefined {
  return api.supportsTls() ? makeCertificate(address, new Date(), options.tls_certificate_curve) : undefined
}

async function recall(root: string): Promise<Partial<Identity>> {
  try {
    return JSON.parse(await readFile(fileOf(root), 'utf8')) as Partial<Identity>
  } catch {
    // The first start in this boot, or a file that nobody can read: Ironic will say whether it gives a token.
    return {}
  }
}

/** In the machine's memory only, and for root alone. */
async function keep(root: string, identity: Identity): Promise<void> {
  const temporary = `${fileOf(root)}.new`
  await mkdir(dirname(temporary), { recursive: true })
  await writeFile(temporary, JSON.stringify(identity), { mode: 0o600 })
  await rename(temporary, fileOf(root))
}
