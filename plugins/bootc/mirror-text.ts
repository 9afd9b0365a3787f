/**
 * How podman and bootc are told of the mirror, on machines and on hosts. Pure; layers take it into the ramdisk as well.
 */

/** quay.io/org/app:v1@sha256:... is of the repository quay.io/org/app. */
export const repositoryOf = (reference: string): string => reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')

/**
 * Pulled from the mirror and from nowhere else; the name stays the canonical one, so that an installed system keeps it,
 * too.
 */
export const mirrorOnly = (reference: string, mirror: { location: string; insecure: boolean }): string =>
  `[[registry]]
prefix = "${repositoryOf(reference)}"
location = "${mirror.location}"
insecure = ${mirror.insecure}
`

/** As an auth file has it. */
export const authOf = ({ username, password }: { username: string; password: string }): string =>
  Buffer.from(`${username}:${password}`).toString('base64')
