import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { winePrefix } from '../../../../src/app/wine/prefix.ts'
import { endIdleServer, serverOutside, wineserverOf } from '../../../../src/app/wine/server.ts'
import { pause } from '../../../../src/base/time.ts'
import { startOf } from '../../../../src/base/living.ts'
import { headless, noHeadless } from '../../headless.ts'

const base = mkdtempSync(join(tmpdir(), 'wine-'))
after(() => rmSync(base, { recursive: true }))

test('the prefix is WINEPREFIX, or .wine at home', () => {
  assert.equal(winePrefix({ WINEPREFIX: '/p', HOME: '/h' }), '/p')
  assert.equal(winePrefix({ WINEPREFIX: '', HOME: '/h' }), '/h/.wine')
  assert.equal(winePrefix({ HOME: '/h' }), '/h/.wine')
})

test('a wineserver of the prefix is found by its folder, one of another prefix is not', { timeout: 280_000 }, async () => {
  const prefix = join(base, 'prefix')
  const other = join(base, 'other')
  for (const folder of [prefix, other]) mkdirSync(folder)
  const { dev, ino } = statSync(prefix)
  const folder = join(base, `server-${dev.toString(16)}-${ino.toString(16)}`)
  mkdirSync(folder)
  const server = spawn('sh', ['-c', 'echo ready; read x'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(server.stdout, 'data')
  assert.equal(await wineserverOf(prefix), server.pid)
  assert.equal(await wineserverOf(other), undefined)
  assert.equal(await wineserverOf(join(base, 'none')), undefined)
  server.stdin.end()
  await once(server, 'exit')
  assert.equal(await wineserverOf(prefix), undefined)
})

/** As Wine's winedevice.exe is after a wineserver that ended early: of its threads the one of a library is left, which holds a pipe. */
test('a service that a wineserver has left behind is ended, and those of another prefix are not', { skip: noHeadless, timeout: 280_000 }, async () => {
  const [prefix, other] = [join(base, 'left'), join(base, 'served')]
  for (const folder of [prefix, other]) mkdirSync(folder)
  const left = await headless(base, 'wine64-preloader', 'winedevice.exe', { WINEPREFIX: prefix })
  const strangers = [
    await headless(base, 'wine64-preloader', 'winedevice.exe', { WINEPREFIX: other }),
    await headless(base, 'wine64-preloader', 'app.exe', { WINEPREFIX: prefix }),
    await headless(base, 'device', 'winedevice.exe', { WINEPREFIX: prefix }),
  ]
  const ended = once(left.stdout!, 'end')
  try {
    assert.notEqual(await startOf(left.pid!), undefined)
    await endIdleServer(prefix, async () => true, AbortSignal.timeout(60_000))
    const late = Symbol('late')
    assert.notEqual(await Promise.race([ended, pause(60_000).then(() => late)]), late)
    for (const stranger of strangers) assert.notEqual(await startOf(stranger.pid!), undefined)
  } finally {
    for (const child of [left, ...strangers]) child.kill('SIGKILL')
  }
})

test('what a wineserver outside means is one line', () => {
  const { code, line } = serverOutside('/p', 7, 'end its programs')
  assert.deepEqual([code, line], ['WINESERVER_OUTSIDE', 'a wineserver of /p runs already (pid 7) and would not see a private mapping; end its programs'])
})
