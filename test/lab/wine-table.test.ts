import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compileExe, setUpWine, useLab } from './index.ts'
import { here, nbtrun, nothingLeft } from './nbtrun.ts'
import { noWine } from './wine.ts'

const EACH = 1000

test('programs on two hosts add 1,000 records each to one table under locks, and none is lost', { skip: noWine, timeout: 280_000 }, async () => {
  const lab = await useLab()
  const disk = lab.server().diskPath('app')
  await compileExe('drive.c', join(disk, 'drive.exe'))
  writeFileSync(join(disk, 'table.dbf'), Buffer.alloc(32))
  chmodSync(join(disk, 'table.dbf'), 0o666)
  const hosts = ['client1', 'client2'] as const
  const add = async (client: (typeof hosts)[number]): Promise<void> => {
    const env = await setUpWine(here(lab, 'prefix', { client }))
    const program = ['drive.exe', 'records', 'P:\\table.dbf', client, `${EACH}`]
    const { code, stdout, stderr } = await nbtrun(lab, program, { env, client, share: '//srv/app=P:', timeout: 240_000 })
    assert.equal(code, 42, `${client}: ${stdout}${stderr}`)
  }
  await Promise.all(hosts.map(add))
  const table = readFileSync(join(disk, 'table.dbf'))
  assert.equal(table.readUInt32LE(4), hosts.length * EACH)
  const records = Array.from({ length: hosts.length * EACH }, (_, i) => table.toString('latin1', 32 + 16 * i, 48 + 16 * i))
  for (const client of hosts) {
    const own = records.filter(record => record.startsWith(client)).map(record => Number(record.slice(8)))
    assert.deepEqual(
      own,
      Array.from({ length: EACH }, (_, i) => i),
      client,
    )
  }
  for (const client of hosts) await nothingLeft(lab, client)
})
