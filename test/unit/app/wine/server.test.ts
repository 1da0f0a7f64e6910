import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { winePrefix } from '../../../../src/app/wine/prefix.ts'
import { serverOutside, wineserverOf } from '../../../../src/app/wine/server.ts'

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

test('what a wineserver outside means is one line', () => {
  const { code, line } = serverOutside('/p', 7, 'end its programs')
  assert.deepEqual([code, line], ['WINESERVER_OUTSIDE', 'a wineserver of /p runs already (pid 7) and would not see a private mapping; end its programs'])
})
