/** Times as Ironic writes them. */

/** Now, e.g. `2026-11-23T23:50:09.400000+00:00`. */
export function timestamp(date: Date = new Date()): string {
  return date.toISOString().replace('Z', '000+00:00')
}
