/** Subscriptions of events, and ejecting virtual media, by Redfish. Loaded with the first call. */
import { InvalidParameterValue, MissingParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { VendorInterface, VendorMethod, VirtualMediaDevice } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Bmc } from '../redfish/bmc.ts'
import type { Redfish } from '../redfish/redfish.ts'

const DEVICES: Readonly<Record<string, VirtualMediaDevice>> = {
  cd: 'cdrom',
  dvd: 'cdrom',
  floppy: 'floppy',
  usb: 'disk',
}

/** @source Ironic drivers/modules/redfish/vendor.py RedfishVendorPassthru */
export function redfishVendor({ at, validate }: Redfish): VendorInterface {
  const events = () => import('../redfish/subscriptions.ts')
  const media = () => import('../redfish/virtual-media.ts')
  type Described = Pick<VendorMethod, 'description' | 'http_methods'> & { needs?: string }
  const method = (
    { needs, ...described }: Described,
    act: (bmc: Bmc, args: Json) => Promise<unknown>,
    o: { async: boolean } = { async: false },
  ): VendorMethod => ({
    ...described,
    ...o,
    require_exclusive_lock: true,
    check: (args) => checked(args, needs),
    async call(task, args) {
      checked(args, needs)
      return at(task, (bmc) => act(bmc, args))
    },
  })
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    validate: (task) => validate(task),
    methods: {
      create_subscription: method(
        {
          description:
            "Creates a subscription on a node. Required argument: a dictionary of {'Destination': 'destination_url'}",
          http_methods: ['POST'],
          needs: 'Destination',
        },
        async (bmc, args) => (await events()).subscribe(bmc, args),
      ),
      delete_subscription: method(
        {
          description:
            "Delete a subscription on a node. Required argument: a dictionary of {'id': 'subscription_bmc_id'}",
          http_methods: ['DELETE'],
          needs: 'id',
        },
        async (bmc, args) => (await events()).unsubscribe(bmc, args),
      ),
      get_subscription: method(
        {
          description:
            "Get a subscription on the node. Required argument: a dictionary of {'id': 'subscription_bmc_id'}",
          http_methods: ['GET'],
          needs: 'id',
        },
        async (bmc, args) => (await events()).subscription(bmc, args),
      ),
      get_all_subscriptions: method(
        { description: 'Returns all subscriptions on the node.', http_methods: ['GET'] },
        async (bmc) => (await events()).subscriptions(bmc),
      ),
      eject_vmedia: method(
        {
          description:
            "Eject a virtual media device. If no device is provided then all attached devices will be ejected. Optional arguments: 'boot_device' - the boot device to eject, either 'cd', 'dvd', 'usb', or 'floppy'",
          http_methods: ['POST'],
        },
        async (bmc, { boot_device }) => (await media()).detach(bmc, devicesIn(boot_device)),
        { async: true },
      ),
    },
  }
}

/** @throws MissingParameterValue, InvalidParameterValue */
function checked(args: Json, needs: string | undefined): void {
  if (needs !== undefined && !args[needs]) throw new MissingParameterValue(`Parameter '${needs}' is required.`)
  devicesIn(args.boot_device)
}

/** @throws InvalidParameterValue */
function devicesIn(given: unknown): readonly VirtualMediaDevice[] | undefined {
  if (given === undefined || given === null || given === '') return undefined
  const found = Object.hasOwn(DEVICES, String(given).toLowerCase()) ? DEVICES[String(given).toLowerCase()] : undefined
  if (found !== undefined) return [found]
  throw new InvalidParameterValue(`Boot device ${String(given)} is not a valid value`)
}
