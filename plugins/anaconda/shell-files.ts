/** Files as sections of a kickstart write them. Pure; nothing of a file's content is read by a shell. */

export type ShellFile = { path: string; content: Uint8Array | string; mode?: number }

const LINE = /.{1,76}/g
const END = 'END-OF-FILE'
const PLAIN = /^\/[A-Za-z0-9._/:-]+$/

const base64 = (content: ShellFile['content']) =>
  (
    Buffer.from(content as Uint8Array)
      .toString('base64')
      .match(LINE) ?? []
  ).join('\n')

/** Of a file whose content was written before: it is copied, as a kickstart has its limits. */
function script(file: ShellFile, same: ShellFile | undefined): string {
  const { path, content, mode = 0o600 } = file
  if (!PLAIN.test(path)) throw new Error(`${path} is no plain path`)
  const folder = path.slice(0, path.lastIndexOf('/')) || '/'
  const write = same ? `cp '${same.path}' '${path}'` : `base64 -d > '${path}' << '${END}'\n${base64(content)}\n${END}`
  return `mkdir -p '${folder}'\n${write}\nchmod ${mode.toString(8)} '${path}'\n`
}

/** @param section  %pre or %post, with its options; @returns '' for no files */
export function writeFiles(section: string, files: readonly ShellFile[]): string {
  if (files.length === 0) return ''
  const keyOf = ({ content }: ShellFile) => base64(content)
  const scripts = files.map((file, index) => {
    const same = files.slice(0, index).find((other) => keyOf(other) === keyOf(file))
    return script(file, same)
  })
  return `${section}\nset -e\numask 077\n${scripts.join('')}%end\n`
}
