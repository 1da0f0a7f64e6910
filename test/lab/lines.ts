import { createInterface } from 'node:readline'

/**
 * The lines of a program's output, one a call. Reads on whether or not somebody asks: a stream with words in it that nobody takes has no end, and
 * neither has the run then.
 */
export function lines(stream: NodeJS.ReadableStream): () => Promise<string> {
  const reader = createInterface({ input: stream, crlfDelay: Infinity })
  const said: string[] = []
  let over = false
  let wake = (): void => {}
  reader.on('line', line => {
    said.push(line)
    wake()
  })
  reader.once('close', () => {
    over = true
    wake()
  })
  return async () => {
    while (said.length === 0 && !over) await new Promise<void>(resolve => (wake = resolve))
    const line = said.shift()
    if (line === undefined) throw new Error('the program has ended')
    return line
  }
}
