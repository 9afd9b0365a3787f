/** The commands that a section of the README tells a reader to type, so that a test runs those and no copy of them. */

const FENCE = /^( *)```sh\n([\s\S]*?)^ *```$/gm

/** @returns the shell blocks of a section, in order, without the indentation of the list that they stand in */
export function commandsIn(readme: string, heading: string): string[] {
  const [, section = ''] = readme.split(`\n## ${heading}\n`)
  const text = section.split('\n## ')[0] ?? ''
  return [...text.matchAll(FENCE)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  )
}
