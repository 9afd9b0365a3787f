/** What the registry is given when it is made, and the options of section [registry]. */

import type { Reserve } from '@appliance/ground/reserve'
import type { RepositoryName } from '../oci/names.ts'
import type { Credentials } from '../oci/secret.ts'

export type RegistryLog = Record<
  'debug' | 'info' | 'warn' | 'error',
  (message: string, fields?: Record<string, unknown>) => void
>

export type RegistryConfig = {
  host_ip: string
  /** 0: any free one. */
  port: number
  /** 0: no limit. */
  max_connections: number
  max_connections_per_host: number
  /** Folder of blobs, repositories and uploads; made when it is not there. */
  storage_path: string
  /** Seconds. An upload that got no bytes for so long expires. */
  upload_timeout: number
  /** Of unfinished uploads at one time. */
  max_uploads: number
  /** MiB; 0: none. */
  max_blob_size: number
  /** Files; empty: none. */
  cert_file: string | undefined
  key_file: string | undefined
  /**
   * PEM: the authority that clients must trust for the certificate of cert_file. Left out: clients trust it already.
   * Without cert_file the registry speaks plain http.
   */
  ca?: string
  htpasswd_file: string | undefined
  token_file: string | undefined
  anonymous_pull: boolean
  /** PATTERN ACTIONS WHO. */
  access_rules: readonly string[]
  /** MiB; 0: none. */
  quota: number
  /** MiB. */
  min_free: number
  gc_interval: number
  /** Cron expressions; each counts before its interval. */
  gc_at?: string | undefined
  gc_grace: number
  scrub_interval: number
  scrub_at?: string | undefined
  sync_interval: number
  sync_at?: string | undefined
  /** Whether holds may pull from registries that no section [upstream:NAME] names. */
  other_upstreams: boolean
  /** MiB/s; 0: as fast as it goes. */
  scrub_rate: number
  /** In CIDR notation: upstreams may be there although they are no others' addresses. */
  reachable_networks: readonly string[]
  /** In CIDR notation: no upstream is there; left out: none. */
  bmc_networks?: readonly string[]
  /** What content leaves of the disk, for what is no content; left out: nothing. */
  reserve?: Reserve
  /** Made by readUpstream from sections [upstream:NAME]; left out: none. */
  upstreams?: readonly UpstreamConfig[]
}

/** A registry that repositories are pulled from. */
export type UpstreamConfig = {
  /** Its repositories are served as name/...; by the grammar of repository names. */
  name: RepositoryName
  url: URL
  credentials?: Credentials
  /** Who reaches the registry may pull with the credentials. */
  public: boolean
  /** Beside its own: host names that are given the credentials for a token. */
  token_hosts: readonly string[]
  /** PEM. */
  ca?: string
  insecure: boolean
  tag_ttl: number
  /** Patterns of repositories, without the name; empty: all. */
  allow: readonly string[]
  deny: readonly string[]
  /** Blobs at one time. */
  concurrency: number
  /** KiB/s; 0: none. */
  bandwidth_limit: number
  /** REPOSITORY:TAG, without the name: what is to be here before anybody asks for it. */
  sync: readonly string[]
  /** OS/ARCHITECTURE; empty: all. */
  sync_platforms: readonly string[]
  /** Both left out: as [registry] has it. */
  sync_interval?: number
  sync_at?: string
}

/** Section [registry] of the configuration file; in the shape of the plugin contract's options. */
export const registryOptions = {
  host_ip: {
    section: 'registry',
    type: 'string',
    default: '127.0.0.1',
    help: 'Address that the registry listens on.',
  },
  port: {
    section: 'registry',
    type: 'integer',
    default: 5000,
    min: 0,
    max: 65535,
    help: 'Port that the registry listens on; 0 takes any free one.',
  },
  storage_path: {
    section: 'registry',
    type: 'string',
    format: 'path',
    default: '$state_path/registry',
    help: 'Folder that holds blobs, repositories and uploads.',
  },
  max_connections: {
    section: 'registry',
    type: 'integer',
    default: 1000,
    min: 0,
    help: 'Connections at one time; 0: no limit.',
  },
  max_connections_per_host: {
    section: 'registry',
    type: 'integer',
    default: 200,
    min: 0,
    help: 'Of these, from one IPv4 address or one IPv6 network of 64 bits; 0: no limit. A proxy, or NAT, in front of many clients needs more.',
  },
  upload_timeout: {
    section: 'registry',
    type: 'integer',
    default: 86400,
    min: 60,
    unit: 's',
    help: 'An upload of a blob that nothing was added to for so long is given up.',
  },
  max_uploads: {
    section: 'registry',
    type: 'integer',
    default: 1000,
    min: 1,
    help: 'Uploads of blobs that may be under way at one time.',
  },
  max_blob_size: {
    section: 'registry',
    type: 'integer',
    default: 0,
    min: 0,
    unit: 'MiB',
    help: 'Larger blobs (layers of images) are neither taken from who pushes them nor pulled from upstreams; 0: no limit.',
  },
  cert_file: {
    section: 'registry',
    type: 'string',
    holds: 'trust',
    format: 'path',
    help: 'Certificate (PEM, with those that vouch for it) for https; read anew when it changes. Not set: plain http.',
  },
  key_file: {
    section: 'registry',
    type: 'string',
    holds: 'secret',
    format: 'path',
    help: 'Private key (PEM) that goes with cert_file.',
  },
  htpasswd_file: {
    section: 'registry',
    type: 'string',
    holds: 'secret',
    format: 'path',
    help: 'Users and their passwords, in lines of NAME:HASH by bcrypt (htpasswd -B), SHA-crypt, yescrypt or {SHA}; read anew when it changes. With it, push and delete need credentials.',
  },
  token_file: {
    section: 'registry',
    type: 'string',
    holds: 'secret',
    format: 'path',
    help: 'Bearer tokens, in lines of NAME:SHA256, of the token in hex; read anew when it changes. With it, push and delete need credentials.',
  },
  anonymous_pull: {
    section: 'registry',
    type: 'boolean',
    default: true,
    help: 'Let anybody pull where no access rule says otherwise.',
  },
  access_rules: {
    section: 'registry',
    type: 'list',
    default: [],
    separator: ';',
    help: "Who may do what, in lines of PATTERN ACTIONS WHO, such as 'team-a/* push,delete alice,bob': the first that matches decides. WHO: anyone, users (who has credentials), nobody, or names. Without any: push and delete are for users; without users, for anyone when host_ip is a loopback address, else for nobody.",
  },
  quota: {
    section: 'registry',
    type: 'integer',
    default: 0,
    min: 0,
    unit: 'MiB',
    help: 'When all content is larger, what was pulled from upstreams and not used for longest is evicted, never what was pushed or is pinned; 0: no quota.',
  },
  min_free: {
    section: 'registry',
    type: 'integer',
    default: 1024,
    min: 0,
    unit: 'MiB',
    help: 'When less is free on the disk of storage_path, what was pulled is evicted as if there were a quota.',
  },
  gc_interval: {
    section: 'registry',
    type: 'integer',
    default: 86400,
    min: 0,
    unit: 's',
    help: 'How often content that nothing needs any more is removed; 0: only by rackstrap registry gc.',
  },
  gc_at: {
    section: 'registry',
    type: 'string',
    help: "When that is done, instead of gc_interval: a cron expression of minute, hour, day, month and weekday by this box's clock, such as 0 3 * * *.",
  },
  gc_grace: {
    section: 'registry',
    type: 'integer',
    default: 86400,
    min: 0,
    unit: 's',
    help: 'Content that was pushed or asked for since is left alone by garbage collection: longer than the push of an image takes.',
  },
  scrub_interval: {
    section: 'registry',
    type: 'integer',
    default: 2592000,
    min: 0,
    unit: 's',
    help: 'How often all content is read from the disk to find what is damaged; 0: only by rackstrap registry scrub.',
  },
  scrub_at: { section: 'registry', type: 'string', help: 'The same by a cron expression, instead of scrub_interval.' },
  scrub_rate: {
    section: 'registry',
    type: 'integer',
    default: 20,
    min: 0,
    unit: 'MiB/s',
    help: 'How fast a scrub reads; 0: as fast as it can.',
  },
  sync_interval: {
    section: 'registry',
    type: 'integer',
    default: 3600,
    min: 0,
    unit: 's',
    help: 'How often what sync of [upstream:NAME] names is fetched when it is new; 0: only by rackstrap registry sync.',
  },
  sync_at: { section: 'registry', type: 'string', help: 'The same by a cron expression, instead of sync_interval.' },
  other_upstreams: {
    section: 'registry',
    type: 'boolean',
    default: true,
    help: 'Pull images that a node is deployed from also from registries that no section [upstream:NAME] names, by https; nothing else is pulled from them.',
  },
  reachable_networks: {
    section: 'registry',
    type: 'list',
    format: 'network',
    default: ['$DEFAULT.reachable_networks'],
    help: 'Networks, such as 192.168.50.0/24, or addresses that upstreams, their issuers of tokens and their redirects may have although they are loopback or link-local addresses, those of this box itself, or of BMCs.',
  },
} as const
