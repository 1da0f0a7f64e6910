/** What nbtrun costs beside smbclient, on the same private Samba, alternating in one run. Prints medians and their ratio (below 1: nbtrun is faster). */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startLab } from '../test/lab/index.ts'

const MIB = 64
const ROUNDS = 7

await using lab = await startLab()
const srv = lab.server()
const tmp = join(lab.host('client1').folder, 'tmp', 'root')
const big = join(tmp, 'big')
writeFileSync(big, Buffer.alloc(MIB * 2 ** 20, 0x5a))
writeFileSync(join(srv.diskPath('app'), 'big'), Buffer.alloc(MIB * 2 ** 20, 0x5a))

const ours = (...program: string[]): string[] => ['nbtrun', '--share', '//srv/app', '--auth-file', lab.authFile(), '--', ...program]
const theirs = (command: string): string[] => ['smbclient', '-A', lab.authFile(), '//srv/app', '-c', command]
const sh = (script: string): string[] => ours('/bin/sh', '-c', script)

const CASES: readonly { name: string; nbtrun: string[]; smbclient: string[] }[] = [
  { name: 'connect, do nothing, leave', nbtrun: ours('/bin/true'), smbclient: theirs('exit') },
  { name: `read ${MIB} MiB`, nbtrun: sh(`dd if="$NBTRUN_MOUNT/big" of=/dev/null bs=1M status=none`), smbclient: theirs('get big /dev/null') },
  { name: `write ${MIB} MiB`, nbtrun: sh(`dd if=${big} of="$NBTRUN_MOUNT/new" bs=1M status=none`), smbclient: theirs(`put ${big} new`) },
  { name: 'list 500 files', nbtrun: sh('ls -l "$NBTRUN_MOUNT/many" > /dev/null'), smbclient: theirs('ls many\\*') },
]
await lab.run('client1', sh('mkdir "$NBTRUN_MOUNT/many" && cd "$NBTRUN_MOUNT/many" && seq 500 | xargs touch'))

for (const { name, nbtrun, smbclient } of CASES) {
  const times = { nbtrun: [] as number[], smbclient: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [who, words] of Object.entries({ nbtrun, smbclient }) as ['nbtrun' | 'smbclient', string[]][]) {
      const { code, ms, stderr } = await lab.run('client1', words)
      if (code !== 0) throw new Error(`${who}: ${stderr}`)
      await srv.untilWorkers(0)
      times[who].push(ms)
    }
  }
  const [we, they] = [median(times.nbtrun), median(times.smbclient)]
  console.log(`${name}: nbtrun ${we.toFixed(0)} ms, smbclient ${they.toFixed(0)} ms, ratio ${(we / they).toFixed(2)}`)
}
rmSync(big)

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
