import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { connect } from '../../src/smb/index.ts'
import { type Lab, type Outcome, useLab } from './index.ts'
import { noLab, nothingLeft } from './nbtrun.ts'

describe('nbtrun ipc', { skip: noLab, timeout: 800_000 }, () => {
  let lab: Lab
  before(async () => {
    lab = await useLab()
  })
  const ipc = (...options: string[]): Promise<Outcome> => lab.run('client1', ['nbtrun', 'ipc', '//srv', '--auth-file', lab.authFile(), ...options])

  test('connects to IPC$, disconnects, and shows what the server still holds for the user, by an administrator’s word', async () => {
    const none = await ipc('--admin-auth-file', lab.authFile('boss'))
    assert.deepEqual([none.code, none.stderr], [0, ''])
    assert.match(none.stdout, /^connected to IPC\$ on srv as LAB\/alice, and disconnected\nsrv holds nothing for LAB\/alice any more\n$/)
    {
      await using left = await connect(lab.server().address, { user: 'alice', password: lab.password(), domain: 'LAB' })
      const app = await left.tree('app')
      const open = await app.files.open('held', { write: true, disposition: 'open-or-create' })
      const one = await ipc('--admin-auth-file', lab.authFile('boss'))
      const [{ address }] = (await lab.server().sessions()) as unknown as [{ address: string }]
      // Samba rounds the moment of a login up: for the rest of that second it says that it has lasted -1 s
      assert.match(one.stdout, new RegExp(`\nsrv still holds 1 session for LAB/alice:\nCLIENT .*\n${address} +1 +(\\d+ s|\\?) +\\?\n$`))
      const { left: rows } = JSON.parse((await ipc('--json', '--admin-auth-file', lab.authFile('boss'))).stdout) as {
        left: { client: string; opens: number }[]
      }
      assert.deepEqual(
        rows.map(({ client, opens }) => [client, opens]),
        [[address, 1]],
      )
      await open.close()
    }
    await nothingLeft(lab)
  })

  test('says what it did, and how to know more, to who may not ask', async () => {
    const { code, stdout, stderr } = await ipc()
    assert.deepEqual([code, stdout], [0, 'connected to IPC$ on srv as LAB/alice, and disconnected\n'])
    assert.match(stderr, /^nbtrun: what srv still holds is not known: .*ERROR_ACCESS_DENIED; add --admin-auth-file\n$/)
    await nothingLeft(lab)
  })
})
