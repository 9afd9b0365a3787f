/** appliance/TROUBLESHOOTING.md quotes what operators read; the quotes are the words of the code. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const CHECKOUT = join(import.meta.dirname, '../..')
const PAGE = join(CHECKOUT, 'appliance/TROUBLESHOOTING.md')
const OTHERS_WORDS =
  /^(?:PXE-E\d+|TFTP open timeout|Security Violation|Permission denied|Config drive seems|Connection refused|certificate$|--os-auth-url)/
/** What stands in a message for a value; fragments between are compared. */
const VALUE = /\.\.\.|http:\/\/|\/[\w./-]+|"[^"]*"|\b[\d.:]*\d\b|\bsnponly\.efi|\bn1\b|\\/
const SHORTEST = 8

async function sourceText(): Promise<string> {
  const folders = ['appliance', 'pxe', 'plugins', 'registry-mirror']
  const texts = folders.map(async (folder) => {
    const names = await readdir(join(CHECKOUT, folder), { recursive: true })
    return Promise.all(
      names.filter((name) => /\.(ts|py)$/.test(name)).map((name) => readFile(join(CHECKOUT, folder, name), 'utf8')),
    )
  })
  // An escaped quote or a text over two lines is still the same words.
  return (
    (await Promise.all(texts))
      .flat()
      .join('\n')
      .replaceAll("\\'", "'")
      .replaceAll(/['`] \+\n\s*['`]/g, '')
      // As Python has it.
      .replaceAll(/'\n\s+f?'/g, '')
  )
}

/** Quotes of the first column that are words, not names of states or programs. */
function quotesIn(page: string): string[] {
  const symptoms = page.split('\n').flatMap((line) => /^\| (?!you see|`last_error`)(.*?) \|/.exec(line)?.[1] ?? [])
  const quotes = symptoms.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote))
  return quotes.filter((quote) => quote.includes(' ') && !OTHERS_WORDS.test(quote))
}

describe('the page of troubles', () => {
  it('quotes messages in the words of the code', async () => {
    const source = await sourceText()
    const quotes = quotesIn(await readFile(PAGE, 'utf8'))

    const unknown = quotes.flatMap((quote) =>
      quote
        .split(VALUE)
        .map((fragment) => fragment.replace(/^[\s.:,)(]+|[\s.:,)(]+$/g, ''))
        .filter((fragment) => fragment.length >= SHORTEST && !source.includes(fragment))
        .map((fragment) => `${fragment} (of: ${quote})`),
    )

    assert.ok(quotes.length > 20, `${quotes.length} quotes`)
    assert.deepEqual(unknown, [])
  })
})
