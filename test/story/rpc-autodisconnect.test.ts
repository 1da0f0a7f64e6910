// A server that speaks NDR as Windows does, and its idle limit: shown, changed with the warnings of Q153070, refused.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decode, encode } from '../../src/base/wire.ts'
import type { ServerInfo } from '../../src/smb/rpc/srvsvc/levels.ts'
import { OPNUM, serverGetInfoRequest, serverGetInfoResponse, serverSetInfoRequest, serverSetInfoResponse } from '../../src/smb/rpc/srvsvc/messages.ts'
import * as V from '../vectors/srvsvc.ts'
import { noLab } from '../lab/nbtrun.ts'
import { asGuest, type Service, windows } from './windows.ts'

const INVALID_LEVEL = 124
const TUNED = Object.fromEntries(
  ['sessopens', 'sessvcs', 'opensearch', 'sizreqbuf', 'initworkitems', 'maxworkitems', 'rawworkitems', 'irpstacksize', 'maxrawbuflen', 'sessusers']
    .concat(['sessconns', 'maxpagedmemoryusage', 'maxnonpagedmemoryusage', 'enablesoftcompat', 'enableforcedlogoff', 'timesource', 'acceptdownlevelapis'])
    .concat('lmannounce')
    .map((name, i) => [name, 100 + i]),
) as ServerInfo<502>

/** Knows levels 502 and 1010, which Samba does not, and not 102. */
class Settings {
  disc = 15
  /** As they came, but for the name of the server. */
  readonly sets: string[] = []
  refusal: { parmErr: number; status: number } | undefined

  readonly service: Service = (opnum, stub) => {
    if (opnum === OPNUM.SERVER_GET_INFO) {
      const { level } = decode(serverGetInfoRequest, stub)
      if (level === 502) return encode(serverGetInfoResponse(502), { info: TUNED, status: 0 })
      if (level === 1010) return encode(serverGetInfoResponse(1010), { info: { disc: this.disc }, status: 0 })
      return encode(serverGetInfoResponse(102), { info: null, status: INVALID_LEVEL })
    }
    assert.equal(opnum, OPNUM.SERVER_SET_INFO)
    const set = decode(serverSetInfoRequest(1010), stub)
    assert.deepEqual([set.server, set.parmErr], ['\\\\127.0.0.1', 0])
    this.sets.push(encode(serverSetInfoRequest(1010), { ...set, server: '\\\\SRV', parmErr: null }).toString('hex'))
    if (this.refusal !== undefined) return encode(serverSetInfoResponse, this.refusal)
    this.disc = set.info.disc
    return V.SET_RESPONSE
  }
}

describe('the idle limit of a Windows server', { skip: noLab, timeout: 800_000 }, () => {
  test('is shown, with what the server tunes by itself', async () => {
    const settings = new Settings()
    await using server = await windows(settings.service)
    const { code, stdout, stderr } = await asGuest(server, 'autodisconnect')
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^127\.0\.0\.1 ends idle sessions after 15 minutes$/m)
    assert.match(stdout, /^sessusers +109$/m)
    const json = JSON.parse((await asGuest(server, 'autodisconnect', '--json')).stdout) as unknown
    assert.deepEqual(json, { server: '127.0.0.1', minutes: 15, tuned: TUNED })
    assert.deepEqual(settings.sets, [])
  })

  for (const [words, bytes, says, warns] of [
    ['15', V.SET_1010_15, 'ends idle sessions after 15 minutes (before: 20 minutes)', [/0 would mean a few seconds, and -1 never/]],
    ['0', V.SET_1010_0, 'ends idle sessions after a few seconds (before: 20 minutes)', [/0 does not switch it off: idle sessions end after a few seconds/]],
    ['-1', V.SET_1010_NEVER, 'never ends idle sessions (before: 20 minutes)', [/-1 switches it off/]],
    ['never', V.SET_1010_NEVER, 'never ends idle sessions (before: 20 minutes)', [/-1 switches it off/]],
  ] as const)
    test(`is set to ${words}: the old value is printed, and what the article warns of`, async () => {
      const settings = new Settings()
      settings.disc = 20
      await using server = await windows(settings.service)
      const { code, stdout, stderr } = await asGuest(server, 'autodisconnect', words)
      assert.deepEqual([code, stdout], [0, `127.0.0.1 ${says}`])
      const lines = stderr.split('\n')
      for (const warning of [/127\.0\.0\.1 stops tuning itself: .* \(Q153070\)$/, ...warns]) assert.match(lines.shift() ?? '', warning)
      assert.deepEqual(lines, [])
      assert.deepEqual(settings.sets, [bytes.toString('hex')])
    })

  test('is refused: the member that the server did not like is named', async () => {
    const settings = new Settings()
    settings.refusal = { parmErr: 3, status: 87 }
    await using server = await windows(settings.service)
    const { code, stderr } = await asGuest(server, 'autodisconnect', '5')
    assert.equal(code, 125)
    assert.match(stderr, /changing settings of 127\.0\.0\.1, level 1010 \(member 3\): server said ERROR_INVALID_PARAMETER/)
  })

  test('must be a time', async () => {
    await using server = await windows(() => Buffer.alloc(0))
    for (const text of ['soon', '-2', '1.5', '2147483648', '']) {
      const { code, stderr } = await asGuest(server, 'autodisconnect', text)
      assert.equal(code, 125, text)
      assert.match(stderr, /the time must be a number of minutes, or -1 for never/, text)
    }
  })
})
