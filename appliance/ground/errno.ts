/** What the kernel says when it refuses, by the names of errno(3). Node's errors carry them as `code`. */

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code

/** Nothing has this name. A file where a folder belongs is damage and must not pass for absence: see leadsNowhere. */
export const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT'

/**
 * Nothing has this name, or the path leads through a file. For readers who only ask whether there is something to
 * read.
 */
export const leadsNowhere = (error: unknown): boolean => isMissing(error) || codeOf(error) === 'ENOTDIR'

export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error) ?? '')

/** For `catch`: a missing file or folder becomes undefined. @throws every other error as it is */
export const unlessMissing = (error: unknown): undefined => {
  if (!isMissing(error)) throw error
  return undefined
}
