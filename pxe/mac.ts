/** MACs as iPXE writes them: ${mac} with colons, ${mac:hexhyp} with hyphens. */

const FORM = /^[0-9a-f]{2}([-:])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i

/** Lower case with colons; undefined when it is none. */
export function parseMac(text: string): string | undefined {
  return FORM.test(text) ? text.replaceAll('-', ':').toLowerCase() : undefined
}
