/** Where a guest finds the registry mirror: others must know it as well, and need nothing else of guests. */

/** At the mirror's own port. */
export const GUEST_MIRROR_HOST = '10.0.2.100'

/** The address by which a guest calls the mirror; the mirror's certificate is valid for it, too. */
export const guestMirror = (port: number): string => `${GUEST_MIRROR_HOST}:${port}`
