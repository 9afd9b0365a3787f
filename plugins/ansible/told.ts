/** What ansible-playbook tells while it runs: our callback's events, and what is left of its output. Pure. */
import type { Progress } from '@appliance/core/plugin-api'

type Event = { event: 'task' | 'alive' | 'failed' | 'unreachable'; name: string; text?: string }
export type Told = {
  onLine(line: string): void
  /** Why it failed, in one sentence; undefined: it said nothing of use. */
  problem(): string | undefined
  /** The task that ran last. */
  readonly at: string | undefined
}
type Given = { mark: string; playbook: string; address: string; progress(progress: Progress): void }

const LINES_KEPT = 60
const LINE_LIMIT = 2000
const NOTE_LIMIT = 180
const SENTENCE_LIMIT = 1200
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals' colours begin with one
const COLOURS = /\x1b\[[0-9;]*m/g
const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, SENTENCE_LIMIT)

/** @param given.mark  begins the lines of our callback; nobody on the machine knows it */
export function listen({ mark, playbook, address, progress }: Given): Told {
  const lines: string[] = []
  let at: string | undefined
  let failure: Event | undefined
  const show = () => progress({ note: at === undefined ? playbook : `${playbook}: ${at}`.slice(0, NOTE_LIMIT) })
  const hear = (event: Event) => {
    if (event.event === 'task') at = event.name
    if (event.event === 'failed' || event.event === 'unreachable') failure = event
    show()
  }
  return {
    onLine(line) {
      const event = line.startsWith(mark) ? parsed(line.slice(mark.length)) : undefined
      if (event) hear(event)
      else if (lines.push(line.replace(COLOURS, '').slice(0, LINE_LIMIT)) > LINES_KEPT) lines.shift()
    },
    problem: () => (failure ? sentenceOf(failure, { playbook, address }) : errorIn(lines, playbook)),
    get at() {
      return at
    },
  }
}

function parsed(text: string): Event | undefined {
  try {
    return JSON.parse(text) as Event
  } catch {
    // Cut off in the middle: what it tells of comes once more, or the end tells it.
    return undefined
  }
}

function sentenceOf(
  { event, name, text = '' }: Event,
  { playbook, address }: Pick<Given, 'playbook' | 'address'>,
): string {
  const told = oneLine(text) || 'it gave no reason'
  if (event === 'failed') return `Task "${name}" of ${playbook} failed: ${told}`
  if (/host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(told)) {
    return (
      `The SSH server at ${address} has another host key than this machine's: nothing was sent to it. Somebody else may ` +
      'answer at that address; or correct driver_info/ansible_host_key.'
    )
  }
  return `The machine cannot be reached by SSH at ${address} (task "${name}" of ${playbook}): ${told}`
}

/** `ERROR! text` up to 2.18, `[ERROR]: text` since; then a place, as a sentence or as `Origin: file:line:column`. */
function errorIn(lines: readonly string[], playbook: string): string | undefined {
  const first = lines.findIndex((line) => /^(ERROR!|\[ERROR\]:)/.test(line))
  if (first < 0) return undefined
  const after = lines.slice(first + 1)
  const end = after.findIndex((line) => line.trim() === '')
  const text = [lines[first]?.replace(/^(ERROR!|\[ERROR\]:)/, ''), ...after.slice(0, end < 0 ? 3 : end)].join(' ')
  const place =
    /appears to be in '([^']+)': line (\d+)/.exec(after.join(' ')) ?? /Origin: (\S+?):(\d+)/.exec(after.join('\n'))
  return `${playbook}: ${oneLine(text)}${place && !text.includes(place[1] ?? '') ? ` (${place[1]}, line ${place[2]})` : ''}`
}
