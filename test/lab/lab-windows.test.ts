import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeExe, missing, setUpWine, useLab } from './index.ts'
import { UIDS } from './users.ts'

test('a Windows program runs on a client, with its arguments and its exit code', { skip: missing('lab', 'wine', 'mingw') }, async () => {
  const lab = await useLab()
  const env = await setUpWine(join(lab.host('client1').folder, 'home', 'alice', '.wine'), UIDS.alice)
  const exe = join(lab.server().diskPath('app'), 'hello.exe')
  assert.equal(await makeExe(exe), 'hello')
  const { code, stdout } = await lab.run('client1', ['wine', exe, '/month:10', 'a b', '007', '/exit:7'], { env, user: 'alice' })
  assert.equal(code, 7)
  assert.deepEqual(stdout.split('\r\n').slice(1), ['/month:10', 'a b', '007', '/exit:7', ''])
})
