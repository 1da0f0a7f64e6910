/** How long commands that need no network take, beside `node -e 0`, alternating in one run. Prints medians and their ratio to the bare Node. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROUNDS = 21

const root = join(import.meta.dirname, '..')
const home = mkdtempSync(join(tmpdir(), 'nbtrun-bench-'))
const batch = join(home, 'old.bat')
writeFileSync(batch, 'net use P: \\\\srv\\payroll\r\nP:\\payroll.exe /m:10\r\nnet use P: /delete\r\n')

const ours = (...words: string[]): string[] => [process.execPath, join(root, 'bin', 'nbtrun.js'), ...words]
const CASES: Readonly<Record<string, readonly string[]>> = {
  'node -e 0': [process.execPath, '-e', '0'],
  '--version': ours('--version'),
  '--help': ours('--help'),
  'script --list': ours('script', '--list'),
  import: ours('import', batch),
  doctor: ours('doctor'),
}

// a variable that has Node read certificates costs every start alike, and hides what is measured
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
const times = new Map(Object.keys(CASES).map(name => [name, [] as number[]]))
try {
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, [file = '', ...args]] of Object.entries(CASES)) {
      const began = performance.now()
      try {
        execFileSync(file, args, { cwd: home, env: { ...env, HOME: home, XDG_STATE_HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] })
      } catch (thrown) {
        if (name !== 'doctor') throw thrown // 1 is its word for findings
      }
      if (round > 0) times.get(name)!.push(performance.now() - began) // the first one reads the files into the kernel's cache
    }
  }
} finally {
  rmSync(home, { recursive: true })
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const bare = median(times.get('node -e 0')!)
console.log(`start, Node ${process.versions.node}: bare ${bare.toFixed(0)} ms`)
for (const [name, all] of times) if (name !== 'node -e 0') console.log(`nbtrun ${name}: ${median(all).toFixed(0)} ms, ratio ${(median(all) / bare).toFixed(2)}`)
