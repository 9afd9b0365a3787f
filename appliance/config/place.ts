/** Where in the configuration file a sentence belongs: every message begins with the option that it is about, as `[section] name`. */
import type { ConfigFile } from './read.ts'

/**
 * @param message  of the options in it, the first that stands in the file is pointed at
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
  // Further options of a section are told without it, such as "dhcp_provider is dnsmasq".
  const sections = [...named.map(([, section]) => section), 'DEFAULT']
  const words = new Set(message.match(/\w+/g))
  const close = ini.entries.findLast(({ section, name }) => sections.includes(section) && words.has(name))
  return close?.line ?? ini.entries.find(({ section }) => section === named[0]?.[1])?.line
}
