/** The log of what is called for one node: each line says whose it is, whatever the caller writes. */
import type { Log } from '../../log.ts'
import type { Json, Task } from '../../plugin-api/index.ts'

/** @param always  fields that go over those of a line */
export const logFor = (log: Log, always: Json): Task['log'] => ({
  debug: (message, fields) => log.debug(message, { ...fields, ...always }),
  info: (message, fields) => log.info(message, { ...fields, ...always }),
  warn: (message, fields) => log.warn(message, { ...fields, ...always }),
  error: (message, fields) => log.error(message, { ...fields, ...always }),
})
