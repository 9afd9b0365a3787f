/**
 * Finds the line of the configuration file that a message is about: every message begins with its option, as
 * `[section] name`.
 */
import type { ConfigFile } from './read.ts'

/**
 * @param message  the place is that of the first option in it that the file has
 * @returns `FILE:LINE: message`; without a line when the file has none of them, without a file when there is none
 */
export function placed({ path, ini }: ConfigFile, message: string): string {
  if (ini.entries.length === 0) return message
  const line = lineOf({ path, ini }, message)
  return line === undefined ? `${path}: ${message}` : `${path}:${line}: ${message}`
}

function lineOf({ ini }: ConfigFile, message: string): number | undefined {
  const named = [...message.matchAll(/\[([^\]\s]+)\](?: (\w+))?/g)]
  for (const [, section, name] of named) {
    const entry = ini.entries.findLast((found) => found.section === section && found.name === name)
    if (entry) return entry.line
  }
  // A message names further options of the same section without it, as in "dhcp_provider is dnsmasq".
  const sections = [...named.map(([, section]) => section), 'DEFAULT']
  const words = new Set(message.match(/\w+/g))
  const close = ini.entries.findLast(({ section, name }) => sections.includes(section) && words.has(name))
  return close?.line ?? ini.entries.find(({ section }) => section === named[0]?.[1])?.line
}
