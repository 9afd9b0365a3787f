/** A box whose nodes are only records: interfaces of fake-hardware that touch nothing, as Ironic's gates set them. */
const TYPES = ['bios', 'boot', 'console', 'deploy', 'firmware', 'inspect', 'raid', 'rescue', 'storage', 'vendor']
const NONE = ['bios', 'console', 'firmware', 'inspect', 'raid', 'rescue', 'vendor']

const line = (type: string) =>
  `enabled_${type}_interfaces = ${['fake', ...(NONE.includes(type) ? [`no-${type}`] : [])].join(', ')}\n`

/** More of a configuration; the first of each is the default. */
export const FAKE_INTERFACES = `[DEFAULT]\n${TYPES.map(line).join('')}`

/** And nodes of hardware type ipmi, which some suites make: nobody asks their BMCs. */
export const FAKE_AND_IPMI = `${FAKE_INTERFACES}enabled_hardware_types = fake-hardware, ipmi
enabled_boot_interfaces = fake, ipxe
enabled_deploy_interfaces = fake, direct
enabled_raid_interfaces = fake, agent, no-raid
enabled_storage_interfaces = fake, noop
`
