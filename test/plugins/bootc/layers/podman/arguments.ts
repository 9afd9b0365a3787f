/** Arguments of bootc_install as the appliance sends them. */
import { type InstallArguments, installArguments } from '../../../../../plugins/bootc/layers/podman/steps/arguments.ts'

export const DIGEST = `sha256:${'a1'.repeat(32)}`
export const MIRROR = { location: '10.0.0.1:5000/quay.io/org/app', registry: '10.0.0.1:5000', insecure: true }
export const TICKET = { username: 'ticket', password: 'a-long-word' }

export const someArguments = (changes: Record<string, unknown> = {}): InstallArguments =>
  installArguments({ reference: 'quay.io/org/app:v1', digest: DIGEST, mirror: MIRROR, scratch: 'target', ...changes })
