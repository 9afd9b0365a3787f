/** What plugins do wrong, and at which point of their life; and the plugins that do it, one for each row. */

type Point = 'validate' | 'prepare' | 'deploySteps' | 'run' | 'resume' | 'cleanUp'
type Fault = { fault: string; code: string; points: readonly Point[]; says: RegExp }

const ALL = ['validate', 'prepare', 'deploySteps', 'run', 'resume', 'cleanUp'] as const
const IN_STEPS = ['prepare', 'run', 'resume'] as const
const RESULTS = ['run', 'resume'] as const
const forever = 'return new Promise(() => {})'

const FAULTS: readonly Fault[] = [
  { fault: 'throws', code: "throw new TypeError('mine')", points: ALL, says: /threw TypeError: mine/ },
  { fault: 'throws-a-text', code: "throw 'a text'", points: ALL, says: /threw "a text"/ },
  { fault: 'throws-nothing', code: 'throw undefined', points: ALL, says: /threw undefined/ },
  {
    fault: 'throws-a-trap',
    code: 'throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })',
    points: ALL,
    says: /threw what cannot be told/,
  },
  {
    fault: 'throws-a-book',
    code: "throw new RangeError('x'.repeat(1e6))",
    points: ALL,
    says: /threw RangeError: x{400}/,
  },
  { fault: 'hangs', code: forever, points: IN_STEPS, says: /made no progress for 10 s/ },
  {
    fault: 'forgets-a-promise',
    code: `void (async () => { throw new Error('later') })(); ${forever}`,
    points: IN_STEPS,
    says: /left behind what failed later: Error: later/,
  },
  {
    fault: 'throws-in-a-timer',
    code: `setTimeout(() => { throw new Error('later') }, 20); ${forever}`,
    points: IN_STEPS,
    says: /left behind what failed later: Error: later/,
  },
  { fault: 'returns-nothing', code: 'return undefined', points: RESULTS, says: /returned undefined: \{ done: true \}/ },
  { fault: 'returns-a-text', code: "return 'done'", points: RESULTS, says: /returned "done": / },
  {
    fault: 'waits-for-weather',
    code: "return { wait: 'weather' }",
    points: RESULTS,
    says: /returned \{"wait":"weather"\}: /,
  },
  { fault: 'is-nearly-done', code: "return { done: 'yes' }", points: RESULTS, says: /returned \{"done":"yes"\}: / },
  { fault: 'gives-no-list', code: 'return 7', points: ['deploySteps'], says: /gave 7: a list of steps is expected/ },
  {
    fault: 'gives-half-a-step',
    code: "return [{ step: 'half', priority: 80 }]",
    points: ['deploySteps'],
    says: /gave the step \{"step":"half","priority":80\}: step, priority and run are expected/,
  },
]

export type Row = Omit<Fault, 'points'> & { point: Point; name: string; plugin: string }

/** What depends on the node is one plugin's; the steps are the same for each node, so each row of those has its own. */
export const ROWS: readonly Row[] = FAULTS.flatMap(({ points, ...fault }) =>
  points.map((point) => {
    const name = `${point}-${fault.fault}`.toLowerCase()
    return { ...fault, point, name, plugin: point === 'deploySteps' ? name : 'bad' }
  }),
)

/** Everything that no row changes is as it should be. It waits for an installer once. */
export function pluginCode(plugin: string): string {
  const rows = ROWS.filter((row) => row.plugin === plugin)
  const at = (point: Point) =>
    rows
      .filter((row) => row.point === point)
      .map(({ name, code }) =>
        point === 'deploySteps' ? code : `if (task.node.extra.fault === '${name}') { ${code} }`,
      )
      .join('\n')
  return `export default {
  apiVersion: '1',
  name: '${plugin}',
  usesAgent: false,
  options: {},
  async validate(task) { ${at('validate')} },
  async prepare(task) { ${at('prepare')} },
  async cleanUp(task) { ${at('cleanUp')} },
  deploySteps() {
    ${at('deploySteps')}
    return [{
      step: 'only',
      priority: 80,
      async run(task) {
        ${at('run')}
        task.log.info('waits', { word: await task.callback.token() })
        return { wait: 'callback' }
      },
      async resume(task, sign) {
        ${at('resume')}
        return { done: true }
      },
    }]
  },
}
`
}
