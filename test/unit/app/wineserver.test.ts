import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { refuseWineserverOutside, wineserverOf, winePrefix } from '../../../src/app/wineserver.ts'

const base = mkdtempSync(join(tmpdir(), 'wine-'))
after(() => rmSync(base, { recursive: true }))

test('the prefix is WINEPREFIX, or .wine at home', () => {
  assert.equal(winePrefix({ WINEPREFIX: '/p', HOME: '/h' }), '/p')
  assert.equal(winePrefix({ HOME: '/h' }), '/h/.wine')
})

test('a wineserver of the prefix is found and refused by its pid, one of another prefix is not', { timeout: 280_000 }, async () => {
  const prefix = join(base, 'prefix')
  const other = join(base, 'other')
  for (const folder of [prefix, other]) mkdirSync(folder)
  const { dev, ino } = statSync(prefix)
  const folder = join(base, `server-${dev.toString(16)}-${ino.toString(16)}`)
  mkdirSync(folder)
  const server = spawn('sh', ['-c', 'echo ready; read x'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })
  await once(server.stdout, 'data')
  assert.equal(wineserverOf(prefix), server.pid)
  assert.equal(wineserverOf(other), undefined)
  assert.equal(wineserverOf(join(base, 'none')), undefined)
  refuseWineserverOutside({ WINEPREFIX: other })
  assert.throws(() => refuseWineserverOutside({ WINEPREFIX: prefix }), {
    code: 'WINESERVER_OUTSIDE',
    message: `a wineserver of ${prefix} runs already (pid ${server.pid}) and would not see the share`,
    hint: `end its programs or WINEPREFIX=${prefix} wineserver -k, or set another WINEPREFIX`,
  })
  server.stdin.end()
  await once(server, 'exit')
  refuseWineserverOutside({ WINEPREFIX: prefix })
})
