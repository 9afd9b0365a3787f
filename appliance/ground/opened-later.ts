/** What is opened when it is first needed, such as an HTTP client whose code is large, and closed with its owner. */

export type OpenedLater<T> = {
  get(): Promise<T>
  /** Opens nothing. What is got afterwards is closed already. */
  close(): Promise<void>
}

export function openedLater<T>(open: () => Promise<T>, close: (opened: T) => Promise<void>): OpenedLater<T> {
  let opening: Promise<T> | undefined
  let opened: T | undefined
  let isClosed = false
  const openNow = async () => {
    const fresh = await open()
    if (isClosed) await close(fresh)
    else opened = fresh
    return fresh
  }
  return {
    get() {
      opening ??= openNow()
      return opening
    },
    async close() {
      if (isClosed) return
      isClosed = true
      // What is still opening closes itself.
      if (opened === undefined) await opening
      else await close(opened)
    },
  }
}
