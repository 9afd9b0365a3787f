/** `rackstrap doctor`: tells which steps of SECURITY.md this box has taken. Looks only, and changes nothing. */
import type { Command } from 'commander'
import { messageOf } from '../errors.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { type Finding, unknown } from '../serve/hardening/step.ts'
import { STEPS } from '../serve/hardening/steps.ts'
import { gatherSettings } from '../serve/settings.ts'
import { jsonOf, print } from './output.ts'

/** The status when a step is open. */
const OPEN = 1
const MARKS = { taken: 'ok', open: '!!', unknown: '??' } as const satisfies Record<Finding['state'], string>

async function doctor({ config, json }: { config?: string; json?: boolean }): Promise<void> {
  const { settings } = await gatherSettings(config, thisBox, () => createLog('error', () => {}))
  const findings = await Promise.all(
    STEPS.map(async ({ name, look }) => {
      const finding = await Promise.resolve(settings)
        .then(look)
        .catch((error: unknown) => unknown(messageOf(error)))
      return { step: name, ...finding }
    }),
  )
  const isOpen = findings.filter(({ state }) => state !== 'taken')
  const lines = findings.map(
    (one) => `${MARKS[one.state]} ${one.step}: ${one.found}\n${one.state === 'open' ? `   ${one.remedy}\n` : ''}`,
  )
  await print(
    json
      ? jsonOf(findings)
      : `${lines.join('')}${findings.length - isOpen.length} of ${findings.length} steps of SECURITY.md are taken\n`,
  )
  if (isOpen.length > 0) process.exitCode = OPEN
}

export function addDoctorCommand(command: Command): void {
  command.option('--json', 'print JSON').action(doctor)
}
