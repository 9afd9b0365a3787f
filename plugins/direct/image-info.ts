/** What write_image tells the agent of an image: Ironic's keys, and two of ours that a stock agent ignores. Pure. */
import type { Json, ServedImage, Task } from '@appliance/core/plugin-api'
import type { DirectOptions } from './options.ts'

type Given = Pick<Task<DirectOptions>, 'node' | 'options'>

/** @source Ironic agent.py, AgentDeploy.write_image, for whole-disk images; the config drive is an argument beside it. */
export function imageInfoOf(given: Given, image: ServedImage): Json {
  const { instance_info, uuid } = given.node
  const source = String(instance_info.image_source)
  return {
    id: nameOf(source),
    urls: [image.url],
    disk_format: image.format,
    container_format: instance_info.image_container_format ?? null,
    stream_raw_images: image.stream,
    ...checksumOf(image, instance_info),
    ...(originOf(image.url) === originOf(source) ? accessTo(given) : {}),
    node_uuid: uuid,
    ...(image.size_bytes === undefined ? {} : { size_bytes: image.size_bytes }),
    ...(image.variants.length === 0 ? {} : { variants: image.variants }),
  }
}

/** The last part of the path. What follows a `?` may be secret, and the agent shows the name on its screen. */
function nameOf(source: string): string {
  const path = source.split(/[?#]/, 1)[0] ?? ''
  return path.split('/').findLast((part) => part !== '') ?? 'image'
}

/** An agent of any age takes md5 as `checksum` only, and everything better as a pair. */
function checksumOf({ checksum }: ServedImage, info: Json): Json {
  if (checksum?.algorithm === 'md5') return { checksum: checksum.value }
  if (checksum) return { os_hash_algo: checksum.algorithm, os_hash_value: checksum.value }
  const { image_checksum, image_os_hash_algo: os_hash_algo, image_os_hash_value: os_hash_value } = info
  return {
    ...(image_checksum ? { checksum: image_checksum } : {}),
    ...(os_hash_algo && os_hash_value ? { os_hash_algo, os_hash_value } : {}),
  }
}

const originOf = (url: string) => (URL.canParse(url) ? new URL(url).origin : undefined)

/** Credentials and proxies are for the server that image_source names: neither for this appliance, nor for where a redirect leads. */
function accessTo({ node, options }: Given): Json {
  const { image_http_proxy: http, image_https_proxy: https, image_no_proxy: no_proxy } = node.driver_info
  const secret = node.instance_info.image_request_authorization_secret
  const { image_server_auth_strategy, image_server_user, image_server_password } = options
  return {
    ...(image_server_auth_strategy === 'http_basic'
      ? { image_server_auth_strategy, image_server_user, image_server_password }
      : {}),
    ...(secret ? { image_request_authorization: Buffer.from(String(secret)).toString('base64') } : {}),
    ...(http || https ? { proxies: { ...(http ? { http } : {}), ...(https ? { https } : {}) } } : {}),
    ...((http || https) && no_proxy !== undefined ? { no_proxy } : {}),
  }
}
