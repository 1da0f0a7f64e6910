// Keeps the contract with one mapping of Windows, in Windows' Node, and prints what became of each promise. Bundled and started by windows-contract.test.ts:
// `windows-child.ts MAPPING FOLDER SHARE`, the folder that the stand-in for a network has as \\srv\app
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { commandLine } from '../../../src/app/windows/command-line.ts'
import { startProgram } from '../../../src/app/windows/start.ts'
import type { Mapping } from '../../../src/mapping/mapping.ts'
import { openDrives } from '../../../src/mapping/windows/drives.ts'
import { endConnection } from '../../../src/mapping/windows/leftovers.ts'
import { jobLifetime, type Lifetime, noDrive, processLifetime } from '../../../src/mapping/windows/lifetime.ts'
import { loadNative } from '../../../src/mapping/windows/native.ts'
import { openNetwork } from '../../../src/mapping/windows/open.ts'
import { Machine } from '../../unit/mapping/windows/workstation.ts'
import { keep } from './promises.ts'
import type { MappingName, Subject, Taken } from './subject.ts'

// what a call of Windows still writes to must not have been collected meanwhile
setFlagsFromString('--expose-gc')
setInterval(runInNewContext('gc') as () => void, 20).unref()

const [mappingName = '', folder = '', share = ''] = process.argv.slice(2)
mkdirSync(folder, { recursive: true })

const APP = { device: 'P:', remote: '\\\\srv\\app' } as const
const isByNetUse = mappingName === 'drive by net use'
const { koffi } = await loadNative()
if (koffi === undefined) throw new Error('koffi does not load')
const network = await openNetwork(isByNetUse ? { ...process.env, NBTRUN_TEST_NETWORK: 'net-use' } : process.env)

/** As a run has it: without koffi there is no job. */
const openLifetime = (): Lifetime => (isByNetUse ? processLifetime() : jobLifetime(koffi))

function startIn(mapping: Mapping, { job }: Lifetime, program: string): Taken['start'] {
  const env = Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
  return async (cwd, words) => {
    const [path = '', ...args] = [...mapping.enter(cwd), program, ...words]
    if (job === undefined) {
      const child = spawn(path, args, { cwd, env, stdio: 'ignore' })
      const exited = once(child, 'exit')
      await mapping.entered(child.pid ?? 0)
      return { pid: child.pid ?? 0, exited }
    }
    const started = startProgram(koffi!, { command: commandLine(path, args, 'cmd.exe'), env, cwd, admit: (process, changed) => job.admit(process, changed) })
    await mapping.entered(started.pid)
    return started
  }
}

const open = (remotes: readonly string[], lifetime: Lifetime, force: boolean) =>
  openDrives({
    network,
    book: new Machine().book('contract'),
    wanted: remotes.map((remote, i) => ({ remote, device: ['P:', 'Q:'][i] ?? '', login: undefined })),
    lifetime,
    force,
  })

async function left(): Promise<string[]> {
  const connections = (await network.connections()).map(({ device, remote }) => `${device} ${remote}`)
  return [...connections, ...['P:\\', 'Q:\\'].filter(letter => existsSync(letter))]
}

const drive: Subject = {
  kind: 'drive',
  folder,
  left,
  async open({ force = false } = {}) {
    const lifetime = openLifetime()
    const mapping = await open([APP.remote], lifetime, force)
    const [point = ''] = mapping.points
    return { mapping, point, said: [], start: startIn(mapping, lifetime, `${point}\\launcher.exe`) }
  },
  openHalf: () => open([APP.remote, '\\\\err-67-x\\app'], openLifetime(), false),
  // the stand-in says that files are open where there is one of this name
  hold: () => ({
    words: [`/write:${join(share, 'in-use')}:x`],
    names: () => [/P: is in use/],
    async letGo() {
      rmSync(join(share, 'in-use'))
      const fate = await endConnection(APP) // as reap does
      if (!fate.gone) throw new Error(fate.why)
    },
  }),
  isSeenOutside: async ({ point }) => existsSync(`${point}\\data`),
}

const none: Subject = {
  kind: 'none',
  folder,
  left,
  async open() {
    const lifetime = openLifetime()
    const mapping = noDrive(lifetime)
    return { mapping, point: undefined, said: [], start: startIn(mapping, lifetime, join(share, 'launcher.exe')) }
  },
}

writeFileSync(join(share, 'data'), 'some')
const outcomes = await keep(mappingName as MappingName, mappingName === 'none on Windows' ? none : drive)
console.log(JSON.stringify(outcomes))
process.exit(0)
