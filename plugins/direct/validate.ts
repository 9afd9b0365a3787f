/**
 * What `direct` refuses of a node beyond its image fields and root device hints, which the appliance knows. Looks at
 * the record only.
 */
import type { Task, Values } from '@appliance/core/plugin-api'
import type { DirectOptions } from './options.ts'

type Node = Task['node']

/** The first thing that is wrong, or undefined. */
export function problemOf(node: Node, options: Values<DirectOptions>): string | undefined {
  return partitionImage(node) ?? proxies(node) ?? credentials(options)
}

/** Asked before the image fields: those would only say that the protocol is not known. */
export function containerImage({ uuid, instance_info }: Node): string | undefined {
  const { image_source } = instance_info
  if (typeof image_source !== 'string' || !/^\s*(oci|docker):\/\//i.test(image_source)) return undefined
  return (
    `instance_info/image_source of node ${uuid} names a container image: the deploy interface direct writes disk images from http(s) or file addresses. ` +
    `For a bootable container: baremetal node set ${uuid} --deploy-interface bootc (bootc must be in [DEFAULT] enabled_deploy_interfaces).`
  )
}

/** @source Ironic images.is_whole_disk_image: image_type decides, else kernel or ramdisk make it a partition image */
function partitionImage({ uuid, instance_info }: Node): string | undefined {
  const { image_type, kernel, ramdisk } = instance_info
  const found =
    image_type === 'partition'
      ? 'instance_info/image_type is "partition"'
      : !image_type && (kernel || ramdisk)
        ? `instance_info/${kernel ? 'kernel' : 'ramdisk'} is set`
        : undefined
  if (found === undefined) return undefined
  return (
    `Node ${uuid} asks for a partition image (${found}): the deploy interface direct writes whole-disk images only. ` +
    'Use a whole-disk image, and remove instance_info/kernel and ramdisk or set instance_info/image_type to "whole-disk".'
  )
}

/** @source Ironic agent.py, validate_image_proxies: any scheme but http and https is wrong, and none is right */
function proxies({ driver_info }: Node): string | undefined {
  for (const name of ['image_http_proxy', 'image_https_proxy']) {
    const value = driver_info[name]
    if (!value) continue
    const scheme = typeof value === 'string' ? /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase() : 'none'
    if (typeof value === 'string' && (scheme === undefined || scheme === 'http' || scheme === 'https')) continue
    return `Proxy URL should either have HTTP(S) scheme or no scheme at all: driver_info/${name} has ${typeof value === 'string' ? `the scheme "${scheme}"` : `a value of type ${typeof value}`}.`
  }
  const { image_no_proxy } = driver_info
  if (image_no_proxy === undefined || image_no_proxy === null || isNoProxy(image_no_proxy)) return undefined
  return (
    'image_no_proxy should be a list of host names, IP addresses or domain names to exclude from proxying, the specified ' +
    `list ${JSON.stringify(image_no_proxy)} is incorrect. To denote a domain name, prefix it with a dot (instead of e.g. '.*').`
  )
}

const HOST = /^\.?(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/i

const isNoProxy = (value: unknown) =>
  typeof value === 'string' &&
  value.split(',').every((entry) => {
    const host = entry.trim().split(':')[0] ?? ''
    return host === '' || (host.length <= 253 && HOST.test(host))
  })

/** Names only: the values are secret. */
function credentials(options: Values<DirectOptions>): string | undefined {
  if (options.image_server_auth_strategy !== 'http_basic') return undefined
  const missing = (['image_server_user', 'image_server_password'] as const).filter((name) => !options[name])
  if (missing.length === 0) return undefined
  return (
    `[deploy] image_server_auth_strategy is ${options.image_server_auth_strategy}, and ${missing.join(' and ')} ` +
    `${missing.length === 1 ? 'is' : 'are'} not set. Set ${missing.length === 1 ? 'it' : 'them'} in [deploy], or take noauth.`
  )
}
