/** The registry mirror with TLS, which the appliance adds to it; inside the appliance and alone. */
import { type RegistryGiven, type RunningRegistry, startRegistry } from '@appliance/registry-mirror'
import type { Log } from '../log.ts'
import { hostOf, openMirrorTls } from './mirror-tls.ts'
import type { Settings } from './settings.ts'

export type Mirror = RunningRegistry & {
  /** PEM: what clients need to trust it; undefined: nothing. */
  ca: string | undefined
  /** A job calls it. */
  renewCertificate(): Promise<void>
  /** May be called more than once. */
  stop(): Promise<void>
}

/**
 * @param given  bmcAddresses: those that nodes name; nothing is pulled from there
 * @throws ApplianceError, RegistryError  in the operator's words
 */
export async function startMirror(
  settings: Pick<Settings, 'config' | 'registry'>,
  log: Log,
  given: Pick<RegistryGiven, 'bmcAddresses'> = {},
): Promise<Mirror> {
  const tls = await openMirrorTls(settings, log)
  const host = hostOf(settings, tls.config.cert_file)
  const registry = await startRegistry({ ...settings.registry, ...tls.config }, log, { ...given, host })
  let stopped: Promise<void> | undefined
  return {
    ...registry,
    ca: tls.config.ca,
    renewCertificate: tls.renew,
    stop() {
      stopped ??= registry.stop()
      return stopped
    },
  }
}
