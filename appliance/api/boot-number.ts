/**
 * The one-time number of a boot, in the address at which its agent asks: /agent/<number>/v1/lookup. An agent puts its
 * paths behind the address that it was given (ironic-python-agent ironic_api_client.py _request), so that it gives the
 * number back without knowing. What is behind the number is a path like any other.
 */
const PREFIX = /^\/agent\/(~[\w-]{32})(?=\/|$)/

export const bootNumberIn = (path: string): string | undefined => PREFIX.exec(path)?.[1]

export const withoutBootNumber = (path: string): string => path.replace(PREFIX, '')
