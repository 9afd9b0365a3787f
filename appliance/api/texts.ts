/**
 * Texts of records that were made, for those who ask again. Bounded: what was made first goes first, and not for every
 * newcomer. Knows no resource.
 */

/** Views of one record: those that clients ask for again and again. */
const VIEWS_LIMIT = 4
/** Each character takes one byte, or two. Every node of a thousand fits, in its details and in a list. */
const CHARACTERS_LIMIT = 6 * 1024 * 1024
/**
 * When all room is taken, one of so many newcomers gets in. A walk through more records than fit would else put each
 * text in only to drop it before the walk comes by again, and what lives that long costs V8 most to collect.
 */
const NEWCOMERS = 16

type Kept<R> = { record: R; views: Map<string, string> }

export type Texts<R> = {
  get(record: R, view: string): string | undefined
  keep(record: R, view: string, text: string): void
}

export function createTexts<R extends { uuid: string }>(characters_limit = CHARACTERS_LIMIT): Texts<R> {
  const texts = new Map<string, Kept<R>>()
  let characters = 0
  let newcomers = 0
  const forget = ({ record, views }: Kept<R>) => {
    for (const text of views.values()) characters -= text.length
    texts.delete(record.uuid)
  }
  /** A record that has changed since is another object. */
  const current = (record: R): Kept<R> | undefined => {
    const kept = texts.get(record.uuid)
    if (!kept || kept.record === record) return kept
    forget(kept)
    return undefined
  }
  return {
    get: (record, view) => current(record)?.views.get(view),
    keep(record, view, text) {
      const known = current(record)
      if (!known && characters + text.length > characters_limit && ++newcomers % NEWCOMERS !== 0) return
      const kept = known ?? { record, views: new Map<string, string>() }
      texts.set(record.uuid, kept)
      const [oldest = ''] = kept.views.size >= VIEWS_LIMIT ? kept.views.keys() : []
      characters += text.length - (kept.views.get(oldest)?.length ?? 0)
      kept.views.delete(oldest)
      kept.views.set(view, text)
      for (const first of texts.values()) {
        if (characters <= characters_limit) return
        forget(first)
      }
    },
  }
}
