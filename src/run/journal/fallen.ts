import type { Ends } from '../../nbt/tcp-table.ts'

/** A session of a dead run, by a text of its own, and the connection that it had. */
export interface Asked {
  readonly key: string
  readonly ends: Ends
}

/** So many connections are asked about at a time; the others are the next time. */
const MAX_ASKED = 256

/** Those whose connections have fallen for certain: also the server knows. No entry is claimed meanwhile, for a login may need it. */
export async function fallenOf(sessions: readonly Asked[], ms?: number): Promise<ReadonlySet<string>> {
  if (sessions.length === 0) return new Set()
  const { hasFallen } = await import('../../nbt/fallen.ts')
  const connections = new Map<string, Ends>()
  for (const { ends } of sessions) connections.set(textOf(ends), ends)
  const asked = [...connections].slice(0, MAX_ASKED)
  const fell = new Set((await Promise.all(asked.map(async ([text, ends]) => ((await hasFallen(ends, ms)) ? [text] : [])))).flat())
  return new Set(sessions.filter(({ ends }) => fell.has(textOf(ends))).map(({ key }) => key))
}

function textOf({ local, localPort, address, port }: Ends): string {
  return JSON.stringify([local, localPort, address, port])
}
