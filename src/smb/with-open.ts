import { asError } from '../base/errors.ts'
import type { OpenFile } from './files.ts'

/** Uses an open and closes it; what CLOSE fails of is an error too, for a deletion or the last bytes may hang on it. */
export async function withOpen<O extends OpenFile, T>(open: O, use: (open: O) => Promise<T>): Promise<T> {
  let value: T
  try {
    value = await use(open)
  } catch (thrown) {
    await open.close()
    throw thrown
  }
  const end = await open.close()
  if (end.how !== 'clean') throw asError(end.error)
  return value
}
