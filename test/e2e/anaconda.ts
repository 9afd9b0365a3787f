/** Racks whose machines are installed by a kickstart: by a stand-in for the installer, over the same wire. */
import type { TestContext } from 'node:test'
import { ensureInstallation, type Installation } from '../rack/installer/build.ts'
import type { Rack, RackOptions } from '../rack/rack.ts'
import { PREPARE_DEADLINE_MS, rackFor } from './racks.ts'

export const installation = (of: 'tarball' | 'squashfs'): Promise<Installation> =>
  ensureInstallation(AbortSignal.timeout(PREPARE_DEADLINE_MS), { of })

export const kickstartRack = (
  test: TestContext,
  { installer }: Installation,
  more: Partial<RackOptions> = {},
): Promise<Rack> =>
  rackFor(test, {
    images: [installer.folder],
    config: { DEFAULT: { enabled_deploy_interfaces: 'direct,anaconda' } },
    ...more,
  })
