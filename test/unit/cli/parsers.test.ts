import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NbtrunError } from '../../../src/base/errors.ts'
import { parseRun } from '../../../src/cli/full.ts'
import { ROWS } from '../../../src/profile/options.ts'
import { parse, type Raw } from '../../../src/profile/words.ts'

const LINES = 4000

/** Small, seeded, good enough (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const VALUES = [
  '//h/x',
  '\\\\h\\x',
  'alice',
  '3s',
  '007',
  '1e3',
  '0x10',
  '',
  ' ',
  '-',
  '-5',
  '-x',
  '--',
  'a=b',
  '=',
  'true',
  'false',
  'no',
  '{mount}',
  'ü',
  'a b',
  '.',
  '[]',
  '__proto__',
  'constructor',
]
// not --$0=x, a name of yargs' own: main refuses that line after yargs passed it
const ODD = [
  'word',
  '--nope',
  '--no-quiet',
  '--quiet=1',
  '-Z',
  '-vZ',
  '-',
  '--sha',
  '--authFile',
  '--share.x',
  '---',
  '--=',
  '-=',
  '--user',
  '-U',
  '--__proto__=x',
  '--constructor',
  '-v=1',
  '--quiet=',
  '--verbose=2',
  '--v',
  '--U=x',
  '-verbose',
  '--_=x',
]

test(`our parser and yargs agree on ${LINES} random lines`, async () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  const below = random(seed)
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T
  const word = (): string[] => {
    if (below(12) === 0) return [pick(ODD)]
    const [name, { kind, short, aliases = [] }] = pick(ROWS)
    const long = `--${pick([name, ...aliases])}`
    if (kind === 'flag' || kind === 'count') return [short !== undefined && below(2) === 0 ? `-${pick([short, `v${short}`, `${short}v`])}` : long]
    const value = pick(VALUES)
    if (short !== undefined && below(2) === 0) return pick([[`-${short}`, value], [`-${short}=${value}`], [`-${short}${value}`], [`-v${short}`, value]])
    return pick([[long, value], [`${long}=${value}`]])
  }
  let understood = 0
  for (let line = 0; line < LINES; line++) {
    const own = Array.from({ length: below(5) }, word).flat()
    if (own.includes('--')) continue // split never lets one through
    const ours = parse(own)
    const theirs = await parseRun(own).catch((thrown: unknown): Raw | undefined => {
      if (thrown instanceof NbtrunError && thrown.code === 'USAGE') return undefined
      throw thrown
    })
    assert.deepEqual(ours, theirs, `seed ${seed}: ${JSON.stringify(own)}`)
    if (ours !== undefined) understood++
  }
  assert.ok(understood > LINES / 4 && understood < LINES, `${understood} lines were understood`)
})
