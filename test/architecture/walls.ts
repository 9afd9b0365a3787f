/** The rules that architecture.test.ts holds: who may import whom, and what does not keep the rules yet. */

/** What nearly every room of the appliance stands on. */
export const FOUNDATION = ['appliance/errors', 'appliance/log', 'appliance/plugin-api', '@appliance/ground', 'node:']

/** What the rooms of the registry mirror stand on. */
export const REGISTRY = [
  'registry-mirror/config',
  'registry-mirror/storage',
  'registry-mirror/oci',
  '@appliance/ground',
  'node:',
]

/**
 * Folder, may import. From the roof to the cellar: a row names only rows further down. A folder stands for everything
 * below it, and for the file of the same name (serve.ts and serve/); the longest row that fits a file counts. What a
 * row does not name, such as a package of npm, is not to be imported. `type X`: X, but its types alone. `*`: any
 * folder, or anything.
 */
export const WALLS: readonly (readonly [folder: string, mayImport: readonly string[]])[] = [
  ['test', ['*']],
  [
    'appliance/cli',
    [
      ...[
        'appliance/serve',
        'appliance/access',
        'appliance/jobs',
        'appliance/images',
        'appliance/ca',
        'appliance/config',
      ],
      'appliance/plugin-testing',
      ...[
        'appliance/systemd-notify',
        '@appliance/pxe/build-ramdisk',
        '@appliance/pxe/own-layers',
        '@appliance/registry-mirror',
        '@appliance/registry-mirror/bundle',
        'commander',
      ],
      ...FOUNDATION,
    ],
  ],
  [
    'appliance/serve',
    [
      ...['appliance/api', 'appliance/web', 'appliance/jobs', 'appliance/rack-server', 'appliance/conductor'],
      'appliance/access',
      ...['appliance/plugin-host', 'appliance/hardware', 'appliance/images', 'appliance/ca', 'appliance/guest'],
      ...['appliance/records', 'appliance/config', 'appliance/metrics'],
      ...['@appliance/pxe', '@appliance/pxe/check-ramdisk', '@appliance/pxe/config'],
      ...['@appliance/registry-mirror', '@appliance/registry-mirror/settings', '@hono/node-server', ...FOUNDATION],
    ],
  ],
  [
    'appliance/api',
    [
      ...['appliance/conductor', 'appliance/records', 'appliance/config', 'appliance/metrics', 'hono', 'zod'],
      ...['appliance/access', ...FOUNDATION],
    ],
  ],
  ['appliance/web', ['appliance/metrics', 'hono']],
  // What an author's plugin is written from.
  [
    'appliance/plugin-testing/skeleton',
    [
      ...['@appliance/core/plugin-testing', 'type @appliance/core/plugin-api', 'type @appliance/pxe/agent-api'],
      'node:',
    ],
  ],
  // What a plugin's author tests with.
  [
    'appliance/plugin-testing',
    [
      ...['appliance/conductor', 'appliance/plugin-host', 'appliance/records', '@appliance/pxe'],
      ...['@appliance/registry-mirror', ...FOUNDATION],
    ],
  ],
  ['appliance/jobs', ['appliance/conductor', 'appliance/config', '@appliance/registry-mirror/settings', ...FOUNDATION]],
  ['appliance/rack-server', FOUNDATION],
  [
    'appliance/conductor',
    [
      ...['appliance/agent', 'appliance/hardware', 'appliance/images', 'appliance/guest', 'appliance/records'],
      ...['appliance/render', 'appliance/config', '@appliance/pxe', 'execa', ...FOUNDATION],
    ],
  ],
  ['appliance/render', ['minijinja-js', ...FOUNDATION]],
  ['appliance/plugin-host', FOUNDATION],
  ['appliance/agent', ['appliance/records', 'undici', 'zod', ...FOUNDATION]],
  ['appliance/hardware', ['appliance/config', 'appliance/records', 'execa', 'undici', ...FOUNDATION]],
  ['appliance/images', ['appliance/config', 'undici', 'zod', ...FOUNDATION]],
  ['appliance/ca', ['execa', ...FOUNDATION]],
  ['appliance/guest', ['@appliance/pxe', 'zod', ...FOUNDATION]],
  ['appliance/records', ['lowdb', ...FOUNDATION]],
  ['appliance/access', FOUNDATION],
  ['appliance/config', FOUNDATION],
  ['appliance/metrics', ['prom-client']],
  ['appliance/systemd-notify', ['appliance/log', 'node:']],
  ['appliance/errors', []],
  ['appliance/log', ['appliance/log-lines', 'appliance/plugin-api', '@appliance/ground', 'node:', 'pino']],
  ['appliance/log-lines', ['node:']],
  // What runs on the machine.
  ['plugins/*/layers', ['type @appliance/pxe/agent-api', 'node:']],
  ['plugins/*', ['type @appliance/core/plugin-api', 'type @appliance/core/plugin-api/interfaces']],
  ['registry-mirror', ['@appliance/ground', 'node:']],
  ['registry-mirror/bundle', ['registry-mirror/admin', 'registry-mirror/http', ...REGISTRY, 'tar-stream']],
  [
    'registry-mirror/node-images',
    [...['registry-mirror/access', 'registry-mirror/sync', 'registry-mirror/upstream'], ...[...REGISTRY, 'tar-stream']],
  ],
  ['registry-mirror/admin', ['registry-mirror/gc', 'registry-mirror/upstream', ...REGISTRY]],
  ['registry-mirror/access', ['registry-mirror/http', ...REGISTRY]],
  ['registry-mirror/sync', REGISTRY],
  ['registry-mirror/upstream', [...REGISTRY, 'undici']],
  ['registry-mirror/gc', REGISTRY],
  ['registry-mirror/http', REGISTRY],
  ['registry-mirror/config', ['registry-mirror/oci', '@appliance/ground', 'cron', 'node:']],
  ['registry-mirror/storage', ['registry-mirror/oci', '@appliance/ground', 'lowdb', 'node:']],
  ['registry-mirror/oci', ['@appliance/ground', 'node:']],
  ['pxe', ['@appliance/ground', 'node:']],
  ['pxe/dnsmasq', ['pxe/config', 'pxe/ramdisk', 'pxe/ramdisk-files', '@appliance/ground', 'execa', 'node:']],
  ['pxe/http', ['pxe/config', 'pxe/handle-boot', 'pxe/iso', '@appliance/ground', 'node:']],
  [
    'pxe/iso',
    [
      ...['pxe/check-ramdisk', 'pxe/config', 'pxe/kernel-parameters', 'pxe/machine-boot', 'pxe/machine-files'],
      ...['pxe/own-layers', 'pxe/ramdisk-files', '@appliance/ground', 'execa', 'node:'],
    ],
  ],
  ['pxe/ramdisk', ['pxe/config', '@appliance/ground', 'esbuild', 'execa', 'node:']],
  // What runs on the machine, bundled into one file.
  ['pxe/ramdisk/agent', ['pxe/agent-api', 'node:']],
  ['appliance/plugin-api', []],
  ['appliance/ground', ['node:']],
]

/**
 * Circles of folders that are still there: `folder: entries`. The list only shrinks: a circle that is gone must go
 * from here as well, and no other may come.
 */
export const KNOWN_CIRCLES: readonly string[] = []

/** Prose that is still longer or wider than it may be. A file or folder that has come down must go from this list. */
export const KNOWN_WIDE_DOCUMENTS: readonly string[] = []
export const KNOWN_WIDE_COMMENTS: readonly string[] = []
