/** Finds the credentials for a host in a pull secret: the file that docker login and podman login write. */

type Auth = { auth?: unknown; username?: unknown; password?: unknown }

/** @param host  with its port, when that is not the usual one @returns undefined: none for that host */
export function credentialsIn(text: string, host: string): { username: string; password: string } | undefined {
  const auths = authsOf(text)
  const found = Object.entries(auths).find(([key]) => hostsOf(host).includes(hostOf(key)))?.[1]
  if (typeof found?.username === 'string' && typeof found.password === 'string')
    return { username: found.username, password: found.password }
  if (typeof found?.auth !== 'string') return undefined
  const [, username, password] = /^([^:]+):(.+)$/s.exec(Buffer.from(found.auth, 'base64').toString()) ?? []
  return username === undefined || password === undefined ? undefined : { username, password }
}

function authsOf(text: string): Record<string, Auth> {
  try {
    const { auths } = JSON.parse(text) as { auths?: unknown }
    return typeof auths === 'object' && auths !== null ? (auths as Record<string, Auth>) : {}
  } catch {
    // No JSON: it holds no credentials, which the caller says.
    return {}
  }
}

/** Docker's own registry goes by several names. */
const DOCKER_HOSTS = ['docker.io', 'index.docker.io', 'registry-1.docker.io']
export const hostsOf = (host: string): readonly string[] => (DOCKER_HOSTS.includes(host) ? DOCKER_HOSTS : [host])
const hostOf = (key: string) => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
