import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pause } from '../../../src/base/time.ts'

const skip = (process.getuid?.() !== 0 || !existsSync('/dev/fuse')) && 'needs root and /dev/fuse'
const RUN = '0123abcd'

/** In a mount namespace of its own, with a mount of this source; says the mount's device number. */
const SEES = `exec 3<>/dev/fuse
mount -i -c -t fuse.nbtrun -o fd=3,rootmode=40000,user_id=0,group_id=0 "$1" "$2" || exit
while read -r id parent device root at rest; do [ "$at" = "$2" ] && echo "$device"; done </proc/self/mountinfo
exec sleep 1000`

async function seeing(source: string, folder: string): Promise<{ readonly child: ChildProcess; readonly device: string }> {
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', SEES, 'sh', source, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [device] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, device: device.toString().trim() }
}

test("whoever sees a mount of the run is killed; one who sees another under a number that was the run's is not", { skip, timeout: 280_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'guardian-'))
  const [ours, others] = [await seeing(`//srv/app@${RUN}`, folder), await seeing('//srv/app@89abcdef', folder)]
  const dead = once(ours.child, 'exit')
  try {
    const file = JSON.stringify(new URL('../../../src/mapping/guardian.ts', import.meta.url).href)
    const members = JSON.stringify({ runId: RUN, devices: [ours.device, others.device] })
    const code = `const { Guardian } = await import(${file})
const guardian = await Guardian.start(300)
guardian.watch(${members})
setTimeout(() => process.kill(process.pid, 'SIGKILL'), 500)`
    await once(spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { stdio: 'inherit' }), 'exit')
    assert.deepEqual(await dead, [null, 'SIGKILL'])
    await pause(3000) // it looks again each second while somebody is left
    assert.deepEqual([others.child.exitCode, others.child.signalCode], [null, null])
  } finally {
    for (const { child } of [ours, others]) child.kill('SIGKILL')
    rmdirSync(folder)
  }
})
