/** What a guest may be up to, for test/appliance/guest. */
import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import type { Steps } from '@appliance/pxe/agent-api'

const answerOf = (url: string) =>
  new Promise<string>((resolve) => {
    const request = get(url, { timeout: 5000 }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve(text)
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', (error) => resolve(error.message))
  })

const canReach = (host: string, port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: 3000 })
    const end = (reached: boolean) => {
      socket.destroy()
      resolve(reached)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })

/** @returns what stopped it */
function fill(path: string): string {
  const disk = openSync(path, 'r+')
  const piece = Buffer.alloc(1024 * 1024, 'x')
  try {
    for (let count = 0; count < 1024; count++) writeSync(disk, piece)
    return 'nothing'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'something'
  }
}

export const steps: Steps = {
  guest_write: {
    priority: 0,
    async run(_agent, { text }, { progress }) {
      progress({ note: 'writing', done: 1, total: 2, unit: 'steps' })
      const disk = openSync('/dev/vda', 'r+')
      writeSync(disk, String(text), 0)
      return { filled: fill('/dev/vdb'), sectors: Number(readFileSync('/sys/block/vdb/size', 'utf8')) }
    },
  },
  guest_reach: {
    priority: 0,
    async run(_agent, { mirror, others }) {
      const list = others as [string, number][]
      const reached = await Promise.all(list.map(([host, port]) => canReach(host, port)))
      return { answer: await answerOf(String(mirror)), reached: list.filter((_, index) => reached[index]) }
    },
  },
  guest_lie: {
    priority: 0,
    async run() {
      const line = openSync('/dev/ttyS1', 'w')
      writeSync(line, `${'x'.repeat(100_000)}\n{"progress":{"note":"\\u001b[2Jcleared","done":-1}}\n{"result"\n`)
      throw new Error('it \u001b[31mfailed\nin two lines')
    },
  },
  guest_bomb: {
    priority: 0,
    async run({ programs }) {
      await programs.run('sh', ['-c', 'f() { f | f & }; f'])
      await new Promise(() => setInterval(() => {}, 1000))
    },
  },
  guest_hang: { priority: 0, run: () => new Promise(() => setInterval(() => {}, 1000)) },
  guest_panic: {
    priority: 0,
    async run() {
      writeFileSync('/proc/sysrq-trigger', 'c')
      await new Promise(() => setInterval(() => {}, 1000))
    },
  },
  guest_die: {
    priority: 0,
    async run() {
      process.kill(process.pid, 'SIGKILL')
    },
  },
}
