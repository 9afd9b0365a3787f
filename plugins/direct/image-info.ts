/** What write_image tells the agent of a node's image. Pure. */
import type { Json, Kit, ServedImage, Task } from '@appliance/core/plugin-api'
import type { DirectOptions } from './options.ts'

type Given = Pick<Task<DirectOptions>, 'node' | 'options'>

/** Beside what the kit says of any image: what the node says of its own. The config drive is an argument beside it. */
export function imageInfoOf(kit: Pick<Kit, 'imageInfo'>, given: Given, image: ServedImage): Json {
  const { instance_info, uuid } = given.node
  const source = String(instance_info.image_source)
  return {
    ...(image.checksum ? {} : checksumIn(instance_info)),
    ...kit.imageInfo(image, { id: nameOf(source), node_uuid: uuid }),
    container_format: instance_info.image_container_format ?? null,
    ...(originOf(image.url) === originOf(source) ? accessTo(given) : {}),
  }
}

/** The last part of the path. What follows a `?` may be secret, and the agent shows the name on its screen. */
function nameOf(source: string): string {
  const path = source.split(/[?#]/, 1)[0] ?? ''
  return path.split('/').findLast((part) => part !== '') ?? 'image'
}

/** Of an image that this appliance does not know, and that the agent is to check by itself. */
function checksumIn({
  image_checksum,
  image_os_hash_algo: os_hash_algo,
  image_os_hash_value: os_hash_value,
}: Json): Json {
  return {
    ...(image_checksum ? { checksum: image_checksum } : {}),
    ...(os_hash_algo && os_hash_value ? { os_hash_algo, os_hash_value } : {}),
  }
}

/** @source Ironic 39 image_service.py: names, or a dot and a domain; all hosts only when the operator says so */
export function isPermitted(source: unknown, options: Given['options']): boolean {
  const { image_server_auth_hosts: hosts, image_server_auth_permit_unknown_hosts } = options
  if (hosts.length === 0) return image_server_auth_permit_unknown_hosts
  const host = typeof source === 'string' && URL.canParse(source) ? new URL(source).hostname : ''
  return hosts.some((name) => (name.startsWith('.') ? host.endsWith(name.toLowerCase()) : host === name.toLowerCase()))
}

const originOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : undefined)

/**
 * Credentials and proxies are for the server that image_source names: neither for this appliance, nor for where a
 * redirect leads.
 */
function accessTo({ node, options }: Given): Json {
  const { image_http_proxy: http, image_https_proxy: https, image_no_proxy: no_proxy } = node.driver_info
  const secret = node.instance_info.image_request_authorization_secret
  const { image_server_auth_strategy, image_server_user, image_server_password } = options
  return {
    ...(image_server_auth_strategy === 'http_basic' && isPermitted(node.instance_info.image_source, options)
      ? { image_server_auth_strategy, image_server_user, image_server_password }
      : {}),
    ...(secret ? { image_request_authorization: Buffer.from(String(secret)).toString('base64') } : {}),
    ...(http || https ? { proxies: { ...(http ? { http } : {}), ...(https ? { https } : {}) } } : {}),
    ...((http || https) && no_proxy !== undefined ? { no_proxy } : {}),
  }
}
