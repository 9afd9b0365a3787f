/**
 * What reads and checks the settings of the registry, without the registry itself: a command that reads a configuration
 * starts in half the time.
 */
export { checkRegistry, type Findings, publicOf } from './check.ts'
export { type RegistryConfig, registryOptions, type UpstreamConfig } from './config/config.ts'
export { nextByClock } from './config/schedule.ts'
export { readUpstream, type UpstreamSection, upstreamOptions } from './config/upstream.ts'
export { RegistryError } from './oci/errors.ts'
export { inAuthFile, readPullSecret } from './oci/pull-secret.ts'
export type { PullSecret } from './oci/secret.ts'
