// Rows in columns as wide as their widest cell.

/** One line a row. The last cell of a row is not filled up, and no line ends in blanks. */
export function table(
  rows: readonly (readonly string[])[],
  { indent = '' }: { readonly indent?: string } = {},
): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => {
    const cells = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
    return `${indent}${cells.join('  ')}`.trimEnd()
  })
}
