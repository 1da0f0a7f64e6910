import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { doctor, only, row } from './doctor.ts'
import { type Lab, startLab } from './index.ts'
import { noLab } from './nbtrun.ts'

describe('nbtrun doctor, on servers with a will of their own', { skip: noLab, timeout: 290_000 }, () => {
  let lab: Lab
  before(async () => {
    const app = { shares: { app: ['read only = no'] } }
    lab = await startLab({
      servers: {
        old: { ...app, global: ['server min protocol = NT1', 'server max protocol = NT1', 'ntlm auth = ntlmv1-permitted'] },
        strict: { ...app, global: ['server signing = mandatory', 'server min protocol = SMB3', 'server smb encrypt = required'] },
        nas: { shares: { app: ['read only = no', 'guest ok = yes'] }, global: ['map to guest = Bad User', 'guest account = nobody'] },
      },
      clients: ['client1'],
    })
  })
  after(() => lab?.dispose())
  const asAlice = (): string[] => ['--auth-file', lab.authFile()]

  test('SMB1 alone: the cure names the preset, and with it nothing is wrong', async () => {
    const seen = await doctor(lab, ['//old/app', ...asAlice()])
    assert.deepEqual(only(seen.findings, 'ports', 'server', 'share'), ['server.dialects SMB1_ONLY'])
    assert.match(row(seen, 'server.dialects').cure ?? '', /--server nt4/)
    assert.deepEqual(row(seen, 'server.dialects').facts['offered'], ['NT1'])
    const preset = await doctor(lab, ['//old/app', ...asAlice(), '--server', 'nt4'])
    assert.deepEqual(only(preset.findings, 'ports', 'server', 'share'), [])
    assert.equal(row(preset, 'share.login').facts['dialect'], 'NT1')
    await lab.server('old').untilSessions(0)
  })

  test('a server that demands signatures and encryption gets both', async () => {
    const seen = await doctor(lab, ['//strict/app', ...asAlice()])
    assert.deepEqual(only(seen.findings, 'ports', 'server', 'share'), [])
    assert.equal(row(seen, 'server.signing').facts['signing'], 'required')
    assert.equal(row(seen, 'share.share').facts['encryption'], 'AES-128-GCM')
    await lab.server('strict').untilSessions(0)
  })

  test('a server that makes a guest of whom it does not know', async () => {
    const stranger = await doctor(lab, ['//nas/app', '--user', 'stranger', '--password-fd', '0'], { input: 'x\n' })
    assert.deepEqual(only(stranger.findings, 'share'), ['share.login GUEST_REFUSED'])
    const guest = await doctor(lab, ['//nas/app', '--guest'])
    assert.deepEqual([only(guest.findings, 'share'), only(guest.notes, 'share')], [[], ['share.login GUEST_SESSION']])
    await lab.server('nas').untilSessions(0)
  })
})
