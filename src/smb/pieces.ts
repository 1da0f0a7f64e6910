import { WireError } from '../base/wire.ts'

/** How many bytes of one transfer are under way at once. */
const AT_ONCE = 4 * 1024 * 1024

/** How often a piece may be moved in part only. No server does it but at the end of a file; one that moves a byte at a time would never end. */
const MAX_PARTS = 16

/**
 * Moves `length` bytes in pieces of at most `size`, several at a time, the first ones first. `move` resolves to how many of the bytes at `at` it moved;
 * what is left is asked for again, and 0 means the end, behind which nothing more is begun. Resolves to how many bytes were moved without a gap from the
 * start, once nothing is under way any more; rejects with the first failure then.
 */
export async function inPieces(length: number, size: number, move: (at: number, left: number) => Promise<number>): Promise<number> {
  let next = 0
  let end = length
  let failure: { readonly error: unknown } | undefined
  const movePiece = async (from: number, to: number): Promise<void> => {
    let at = from
    for (let parts = 0; at < to; parts++) {
      if (parts === MAX_PARTS) throw new WireError(`the server moved ${at - from} of ${to - from} bytes in ${parts} parts`, 0)
      const moved = await move(at, to - at)
      at += moved
      if (moved === 0) break
    }
    if (at < to) end = Math.min(end, at)
  }
  const work = async (): Promise<void> => {
    while (next < end && failure === undefined) {
      const from = next
      next = Math.min(from + size, length)
      try {
        await movePiece(from, next)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  const atOnce = Math.min(Math.ceil(length / size), Math.max(1, Math.floor(AT_ONCE / size)))
  await Promise.all(Array.from({ length: atOnce }, work))
  if (failure !== undefined) throw failure.error
  return end
}
