/** Code that stands in a document, as a reader would copy it. */

/** The first block of this language below a heading, or on the page. @throws Error  there is none */
export function blockOf(page: string, language: string, heading = ''): string {
  const below = page.slice(page.indexOf(heading))
  const [, text] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(below) ?? []
  if (!text) throw new Error(`The page has no block of ${language}${heading && ` below "${heading}"`}`)
  return text
}
