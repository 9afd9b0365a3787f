/** A box whose nodes are only records: interfaces of fake-hardware that touch nothing, as Ironic's gates set them. */
const TYPES = ['bios', 'boot', 'console', 'deploy', 'firmware', 'inspect', 'raid', 'rescue', 'storage', 'vendor']
const NONE = ['bios', 'console', 'firmware', 'inspect', 'raid', 'rescue', 'vendor']

const line = (type: string) =>
  `enabled_${type}_interfaces = ${['fake', ...(NONE.includes(type) ? [`no-${type}`] : [])].join(', ')}\n`

/** More of a configuration; the first of each is the default. */
export const FAKE_INTERFACES = `[DEFAULT]\n${TYPES.map(line).join('')}`
