import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { WindowCloser } from '../../../../src/app/wine/windows.ts'
import { pause } from '../../../../src/base/time.ts'
import { noHeadless } from '../../headless.ts'

const base = mkdtempSync(join(tmpdir(), 'wine-'))
after(() => rmSync(base, { recursive: true }))

const PROGRAM = `
import ctypes, mmap, signal, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
files = [open(path, 'rb') for path in sys.argv[2:]]
loaded = [mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) for file in files]
print('ready', flush=True)
sys.stdin.read()
`

/** What looks like a program of Wine that may have windows, and has loaded these files; INT ends it. */
async function program(name: string, prefix: string, ...loads: readonly string[]): Promise<ChildProcess> {
  const path = join(base, 'wine64-preloader')
  if (!existsSync(path)) copyFileSync(realpathSync('/usr/bin/python3'), path)
  const looks = join(base, 'uxtheme.dll')
  writeFileSync(looks, 'MZ')
  const child = spawn(path, ['-c', PROGRAM, name, looks, ...loads], { env: { WINEPREFIX: prefix, PYTHONHOME: '/usr' }, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

test('windows are closed by name where nobody else in the prefix has it; else, and where they stay, Ctrl-C asks', {
  skip: noHeadless,
  timeout: 280_000,
}, async () => {
  const prefix = join(base, 'prefix')
  const other = join(base, 'other')
  for (const folder of [prefix, other]) mkdirSync(folder)
  const { dev, ino } = statSync(prefix)
  const place = join(base, `server-${dev.toString(16)}-${ino.toString(16)}`)
  mkdirSync(place)
  const server = spawn('sh', ['-c', 'echo ready; read x'], { cwd: place, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(server.stdout, 'data')
  const told = join(base, 'told')
  const wine = join(base, 'wine')
  writeFileSync(wine, `#!/bin/sh\necho "$@" >>'${told}'\n`, { mode: 0o755 })
  const ours = await program('app.exe', prefix)
  const strangers = [await program('app.exe', prefix), await program('app.exe', other)]
  const image = join(base, 'App.EXE')
  writeFileSync(image, 'MZ')
  const renamed = await program('app', prefix, image)
  const closer = (users: readonly ChildProcess[], answerMs: number): WindowCloser =>
    new WindowCloser({
      prefix,
      env: process.env,
      wine: async () => wine,
      isOurs: async () => false,
      users: async () => users.map(({ pid }) => pid!),
      gone: new AbortController().signal,
      answerMs,
    })
  try {
    const patient = closer([ours, strangers[0]!, renamed], 3_600_000)
    patient.ask(ours.pid!, false)
    while (!readFileSync(told, { encoding: 'utf8', flag: 'a+' }).endsWith('\n')) await pause(10)
    await patient.leave()
    assert.deepEqual([readFileSync(told, 'utf8'), ours.signalCode], ['taskkill /im app.exe\n', null], 'it has its time, which the end of the run cuts short')

    rmSync(told)
    const ended = once(ours, 'exit')
    const refused = closer([ours, renamed], 3_600_000)
    refused.ask(ours.pid!, false)
    assert.deepEqual([(await ended)[1], existsSync(told)], ['SIGINT', false], "another's would be closed with it")
    await refused.leave()

    const again = await program('app.exe', prefix)
    const end = once(again, 'exit')
    const mistaken = closer([again, strangers[0]!], 3_600_000)
    mistaken.ask(again.pid!, false)
    assert.deepEqual([(await end)[1], existsSync(told)], ['SIGINT', false], 'whatever that calls itself')
    await mistaken.leave()

    const stays = once(strangers[0]!, 'exit')
    closer([...strangers, renamed], 10).ask(strangers[0]!.pid!, false)
    assert.deepEqual([(await stays)[1], existsSync(told)], ['SIGINT', true], 'it did not heed it')
    assert.equal(strangers[1]!.signalCode, null)
  } finally {
    for (const child of [ours, renamed, ...strangers, server]) child.kill('SIGKILL')
  }
})
