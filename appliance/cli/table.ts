/** Renders a table for a terminal. */

/** Each column is as wide as its widest cell. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('')
}

/** A time to the second; `-` for never. */
export const shortTime = (iso: string | undefined): string => iso?.replace(/\.\d+Z$/, 'Z') ?? '-'
