/** The operator's own schema of network_data: [api] network_data_schema. */
import { readFileSync } from 'node:fs'
import type { Config } from '../config/options.ts'
import { messageOf } from '../errors.ts'

/** @throws Error  the file cannot be read, or is no JSON */
export const networkDataSchema = ({ api }: Pick<Config, 'api'>): { network_data_schema?: unknown } =>
  api.network_data_schema === undefined
    ? {}
    : { network_data_schema: JSON.parse(readFileSync(api.network_data_schema, 'utf8')) }

/** A sentence, or undefined. That it is no schema is told by the start alone: here, nothing is loaded for that. */
export function problemOfNetworkData(config: Pick<Config, 'api'>): string | undefined {
  try {
    networkDataSchema(config)
    return undefined
  } catch (error) {
    return `[api] network_data_schema is ${config.api.network_data_schema}, which cannot be used: ${messageOf(error)}. Expected a file with a JSON schema.`
  }
}
