/**
 * Playbooks ask the agent on the same machine what is the agent's to say: which disk is the root device, which may be
 * erased, where a config drive goes. One meaning, whoever deploys. Root alone can ask.
 */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import type { StepAgent } from '@appliance/pxe/agent-api'

const SOCKET = 'run/rackstrap/agent.sock'
/** A config drive of 64 MiB that does not compress, as base64 in JSON. */
const QUESTION_LIMIT_BYTES = 96 * 1024 * 1024

type Question = Readonly<Record<string, unknown>>
type Answer = (agent: StepAgent, question: Question) => Promise<unknown>

const ANSWERS: Readonly<Record<string, Answer>> = {
  '/root-device': (agent, { hints }) => agent.rootDevice(objectOf(hints)),
  '/erasable-disks': (agent) => agent.erasableDisks(),
  async '/config-drive'(agent, { device, text }) {
    if (typeof device !== 'string' || typeof text !== 'string') throw new Error('device and text are expected.')
    const partition = await agent.writeConfigDrive({ name: device }, text)
    await agent.rereadPartitions({ name: device })
    return { partition }
  },
}

/** Ends with the agent; one that was killed leaves its socket behind. */
export async function listenForPlaybooks(agent: StepAgent): Promise<Server> {
  const path = join(agent.root, SOCKET)
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
  const server = createServer((request, response) => {
    answer(agent, request).then(
      (found) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found)),
      (error: Error) => response.writeHead(400).end(JSON.stringify({ error: error.message })),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve)
  })
  await chmod(path, 0o600)
  return server.unref()
}

async function answer(agent: StepAgent, request: IncomingMessage): Promise<unknown> {
  const url = request.url ?? ''
  const act = Object.hasOwn(ANSWERS, url) ? ANSWERS[url] : undefined
  if (!act) throw new Error(`Nothing is asked at ${url}: ${Object.keys(ANSWERS).join(', ')} are known.`)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > QUESTION_LIMIT_BYTES) throw new Error(`A question has at most ${QUESTION_LIMIT_BYTES} bytes.`)
  }
  return act(agent, objectOf(JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}')))
}

const objectOf = (value: unknown): Question =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Question) : {}
