/** Checks where a plugin's secrets go: others read command lines, logs and what an operator is told. */
import { isSecretKey } from '@appliance/ground/secret-words'
import { CALLBACK_TOKEN, type Call, createTaskOnPaper } from '../task-on-paper.ts'
import type { Given } from './given.ts'
import { outcomeOf, settingOf } from './life.ts'
import { ownSteps } from './steps.ts'

/** What of a call others read; of exec only the command line, as `input` and `env` are for secrets. */
const SEEN: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  exec: ([file, args]) => [file, args],
  log: (args) => args,
  progress: (args) => args,
  failure: (args) => args,
}

export async function keepsSecrets(given: Given): Promise<string[]> {
  const secrets = [CALLBACK_TOKEN, ...secretsIn(given.setting?.node)]
  const problems = new Set<string>()
  for (const step of ownSteps(given.plugin)) {
    const { task, calls } = createTaskOnPaper(settingOf(given))
    await outcomeOf(async () => step.run(task, given.args?.[step.step] ?? {}), given.deadline_ms)
    for (const call of calls)
      if (tells(call, secrets)) problems.add(`step ${step.step} tells a secret to task.${call.name}`)
  }
  return [...problems]
}

function tells({ name, args }: Call, secrets: readonly string[]): boolean {
  const text = JSON.stringify(SEEN[name]?.(args)) ?? ''
  return secrets.some((secret) => text.includes(secret))
}

/** Texts that stand under secret-looking keys. */
function secretsIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'string' ? (isSecretKey(key) && inner !== '' ? [inner] : []) : secretsIn(inner),
  )
}
