/** Methods of vendors, as the API's vendor_passthru calls them: of a node's interface, or of a hardware type. */
import { InvalidParameterValue, NotFound } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { DriverVendorMethod, HttpMethod, VendorMethod } from '../../plugin-api/interfaces.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import { unlessStopped } from '../parts/background.ts'
import type { Parts } from '../parts/parts.ts'
import { limited, type PowerParts } from '../power/power.ts'

/** `result`: of a method that is not async, JSON or undefined. */
type VendorAnswer = { async: boolean; result?: unknown }
type VendorCall = { method: string; http_method: string; args: Json }
/** As the API shows it. @source Ironic drivers/base.py _passthru */
type ShownMethod = Omit<VendorMethod, 'check' | 'call' | 'require_exclusive_lock'> & {
  attach: boolean
  require_exclusive_lock?: boolean
}
export type Vendor = {
  methods(uuid: string): Readonly<Record<string, ShownMethod>>
  /** @throws NodeLocked, InvalidParameterValue, and what the method throws */
  call(uuid: string, call: VendorCall): Promise<VendorAnswer>
  /** @throws NotFound  no such hardware type is enabled */
  driverMethods(driver: string): Readonly<Record<string, ShownMethod>>
  callDriver(driver: string, call: VendorCall): Promise<VendorAnswer>
}
type VendorParts = PowerParts & Pick<Parts, 'background' | 'reservations'>

/** A method may set up a machine through its BMC. */
const VENDOR_DEADLINE_S = 600

export function createVendor(parts: VendorParts): Vendor {
  const { background, hardware } = parts
  const ofDriver = (driver: string) => {
    const [name = ''] = hardware.allowed.get(driver)?.vendor ?? []
    if (!hardware.allowed.has(driver)) {
      throw new NotFound(`Could not find the following driver(s) or hardware type(s): ${driver}.`)
    }
    return hardware.find('vendor', name)?.driverMethods ?? {}
  }
  return {
    methods: (uuid) => shown(interfaceOf(parts, parts.store.nodes.find(uuid), 'vendor').methods),
    async call(uuid, { method: name, http_method, args }) {
      const methodOf = () =>
        found(interfaceOf(parts, parts.store.nodes.find(uuid), 'vendor').methods, name, http_method)
      const method = methodOf()
      const release = method.require_exclusive_lock ? await parts.reservations.take(uuid) : async () => {}
      const work = () =>
        limited(background.stopping, VENDOR_DEADLINE_S, (limit) =>
          method.call(
            interfaceTask(parts, parts.store.nodes.find(uuid), 'vendor', limit),
            args,
            http_method as HttpMethod,
          ),
        )
      let goesOn = false
      try {
        methodOf().check?.(args)
        if (!method.async) return { async: false, result: await work() }
        goesOn = true
      } finally {
        if (!goesOn) await release()
      }
      background.run(name, uuid, () => unlessStopped(parts, async () => void (await work())).finally(release))
      return { async: true }
    },
    driverMethods: (driver) => shown(ofDriver(driver)),
    async callDriver(driver, { method: name, http_method, args }) {
      const method = found(ofDriver(driver), name, http_method)
      method.check?.(args)
      const work = () =>
        limited(background.stopping, VENDOR_DEADLINE_S, (signal) =>
          method.call(args, { http_method: http_method as HttpMethod, signal }),
        )
      if (!method.async) return { async: false, result: await work() }
      background.run(name, driver, () => unlessStopped(parts, async () => void (await work())))
      return { async: true }
    },
  }
}

/** @throws InvalidParameterValue */
function found<M extends VendorMethod | DriverVendorMethod>(
  methods: Readonly<Record<string, M>>,
  name: string,
  http_method: string,
): M {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined
  if (!method) throw new InvalidParameterValue(`No handler for method ${name}`)
  if ((method.http_methods as readonly string[]).includes(http_method)) return method
  throw new InvalidParameterValue(`The method ${name} does not support HTTP ${http_method}`)
}

const shown = (methods: Readonly<Record<string, VendorMethod | DriverVendorMethod>>) =>
  Object.fromEntries(
    Object.entries(methods).map(([name, { check: _, call: __, ...told }]): [string, ShownMethod] => [
      name,
      { ...told, attach: false },
    ]),
  )
