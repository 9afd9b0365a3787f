/**
 * How a command reaches the program that runs: a unix socket, which the owner of the program alone may open. A
 * command sends one JSON request; lines of progress come back, then the answer.
 */
import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { codeOf } from './errno.ts'
import { createServer, request as httpRequest } from './http.ts'

export type Answering<Asked, Answer, Progress> = {
  /** @throws what the command is to say */
  answer(asked: Asked, progress: (progress: Progress) => void): Promise<Answer>
  /** Answers an HTTP request that is none of a command's and returns true. Left out: there are none. */
  handle?(request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

/** What became of a request; `nobody`: no program listens there. */
export type Reply<Answer> = { answer: Answer } | { refused: string } | { broken: Error } | 'nobody'

type Line = { progress: unknown } | { answer: unknown } | { error: string }

const PROGRESS_EVERY_MS = 200
const NOBODY = ['ENOENT', 'ECONNREFUSED', 'EINVAL']

/**
 * A socket that is there already is taken for left over: whoever calls this has made sure.
 * @returns how to close it. @throws the error of listen(2); a path beyond 107 bytes is one reason
 */
export async function listenOnSocket<Asked, Answer, Progress>(
  path: string,
  { answer, handle }: Answering<Asked, Answer, Progress>,
): Promise<() => Promise<void>> {
  await rm(path, { force: true })
  const server = createServer({ requestTimeout: 0 }, async (request, response) => {
    if (!(await handle?.(request, response))) await reply(request, response, answer)
  })
  try {
    server.listen(path)
    await once(server, 'listening')
    await chmod(path, 0o600)
  } catch (error) {
    server.close()
    throw error
  }
  return async () => {
    server.close()
    server.closeAllConnections()
    await rm(path, { force: true })
  }
}

async function reply<Asked, Answer, Progress>(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answering<Asked, Answer, Progress>['answer'],
): Promise<void> {
  // Whoever asked may go away at any time.
  response.on('error', () => {})
  const write = (line: Line) => response.write(`${JSON.stringify(line)}\n`)
  let told_at = 0
  try {
    const found = await answer(JSON.parse(await text(request)) as Asked, (progress) => {
      if (Date.now() - told_at < PROGRESS_EVERY_MS) return
      told_at = Date.now()
      write({ progress })
    })
    write({ answer: found })
  } catch (error) {
    write({ error: (error as Error).message })
  }
  response.end()
}

export async function askSocket<Answer, Progress>(
  path: string,
  asked: unknown,
  progress: (progress: Progress) => void = () => {},
): Promise<Reply<Answer>> {
  const request = httpRequest({ socketPath: path, method: 'POST', path: '/' })
  request.end(JSON.stringify(asked))
  let response: IncomingMessage
  try {
    ;[response] = (await once(request, 'response')) as [IncomingMessage]
  } catch (error) {
    return NOBODY.includes(codeOf(error) ?? '') ? 'nobody' : { broken: error as Error }
  }
  try {
    for await (const text of createInterface({ input: response })) {
      const line = JSON.parse(text) as Line
      if ('progress' in line) progress(line.progress as Progress)
      else return 'error' in line ? { refused: line.error } : { answer: line.answer as Answer }
    }
  } catch (error) {
    return { broken: error as Error }
  }
  return { broken: new Error('it stopped before it had answered') }
}
