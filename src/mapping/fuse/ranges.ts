/** Bytes from `start` up to, without, `end`. */
export interface Range {
  readonly start: bigint
  readonly end: bigint
}

export function overlaps(a: Range, b: Range): boolean {
  return a.start < b.end && b.start < a.end
}

/** What both have; only for ranges that overlap. */
export function common(a: Range, b: Range): Range {
  return { start: a.start > b.start ? a.start : b.start, end: a.end < b.end ? a.end : b.end }
}

/** What is left of `ranges` without `holes`. */
export function without(ranges: readonly Range[], holes: readonly Range[]): readonly Range[] {
  let left = ranges
  for (const hole of holes) {
    if (!left.some(range => overlaps(range, hole))) continue
    left = left.flatMap(range => {
      if (!overlaps(range, hole)) return [range]
      const parts: Range[] = []
      if (range.start < hole.start) parts.push({ start: range.start, end: hole.start })
      if (hole.end < range.end) parts.push({ start: hole.end, end: range.end })
      return parts
    })
  }
  return left
}
