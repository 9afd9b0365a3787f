/**
 * The real conductor, with its orders written down instead of carried out; and one whose machines cannot be reached.
 */
import type { Conductor } from '../../../appliance/conductor/conductor.ts'
import { BmcFailure } from '../../../appliance/errors.ts'

type Asked = { verb: string; uuid: string; with: unknown }
export type Recording = Conductor & { asked: Asked[] }

/** Orders that reach a machine are only written down; nodes are held, drivers known, interfaces chosen as ever. */
export function recording(conductor: Conductor): Recording {
  const asked: Asked[] = []
  const ask = (verb: string, uuid: string, what: unknown) => void asked.push({ verb, uuid, with: what })
  return {
    ...conductor,
    asked,
    provision: async (uuid, request) => ask('provision', uuid, request),
    power: async (uuid, target, timeout_s) => ask('power', uuid, { target, timeout_s }),
    setBootDevice: async (uuid, device, persistent) => ask('setBootDevice', uuid, { device, persistent }),
    heartbeat: async (uuid, heartbeat) => ask('heartbeat', uuid, heartbeat),
  }
}

/** @param failure  what every call that reaches a machine ends with */
export function broken(conductor: Conductor, failure: Error = new BmcFailure('The BMC is gone')): Recording {
  const fail = async () => {
    throw failure
  }
  const orders = ['provision', 'power', 'validate', 'getBootDevice', 'setBootDevice', 'lookup', 'heartbeat']
  return { ...recording(conductor), ...Object.fromEntries(orders.map((name) => [name, fail])) }
}
