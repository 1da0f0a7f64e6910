/** The one of `names` that was most likely meant by `word`, or undefined where none is near: at most a third of it is different. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  let best: string | undefined,
    least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const name of names) {
    const steps = distance(word.toLowerCase(), name.toLowerCase(), least)
    if (steps < least) [best, least] = [name, steps]
  }
  return best
}

/** Letters to add, to drop, to change, or neighbours to swap; `enough` or more where it is not less. Optimal string alignment. */
function distance(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let steps = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + Number(!same))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) steps = Math.min(steps, (before[j - 2] ?? 0) + 1)
      row.push(steps)
    }
    ;[before, last] = [last, row]
  }
  return last[b.length] ?? enough
}
