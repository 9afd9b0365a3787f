/** For tests whose BMCs and agents are on loopback. */
import { createReach } from '../../appliance/ground/reach.ts'

export const LOOPBACK = ['127.0.0.0/8', '::1']
export const LOOPBACK_REACH = createReach({ allowed: LOOPBACK, option: '[DEFAULT] reachable_networks' })
