/**
 * The deploy interface `autodetect`: chooses another one by what stands in the node, and does nothing itself.
 * @source Ironic drivers/modules/autodetect.py
 */
import type { DeployPlugin, Options } from '@appliance/core/plugin-api'

const OPTIONS = {
  autodetect_deploy_interfaces: {
    section: 'DEFAULT',
    type: 'list',
    default: ['ramdisk', 'bootc', 'direct'],
    help: 'Deploy interfaces that autodetect chooses among: the first that claims the node, or the last. All of them must be enabled.',
  },
} as const satisfies Options

export default {
  apiVersion: '1',
  name: 'autodetect',
  usesAgent: true,
  options: OPTIONS,
  switchesTo: ({ autodetect_deploy_interfaces }) => autodetect_deploy_interfaces,
  async validate() {},
  deploySteps: () => [],
} satisfies DeployPlugin<typeof OPTIONS>
