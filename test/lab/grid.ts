// What commands that try one thing against another share: the choice of rows and columns, and the table.

/** Those of `all` that a comma-separated list names; without a list all of them. Throws on a name that is none. */
export function chosen<T extends string>(all: readonly T[], asked: string | undefined, option: string): readonly T[] {
  if (asked === undefined) return all
  const names = asked.split(',').map(name => name.trim())
  const unknown = names.find(name => !all.some(known => known === name))
  if (unknown !== undefined) throw new Error(`${option} ${unknown} is none of ${all.join(', ')}`)
  return all.filter(name => names.includes(name))
}

/** Rows of as many cells each, the columns as wide as they must be. */
export function grid(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  return rows
    .map(row =>
      row
        .map((text, i) => text.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
