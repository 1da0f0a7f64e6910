import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endLine, givenBackLine, receiptText, startLines, survivorsLine, wineLine } from '../../../src/cli/lines.ts'

const share = {
  label: '//srv/app',
  point: '/run/user/1000/nbtrun/7f3a',
  drive: undefined,
  mapping: 'private',
  way: 'b2',
  dialect: '3.1.1',
  signed: true,
  encrypted: false,
}

test('the start says where each share is, and for whom', () => {
  const line = (change: object): string | undefined => startLines({ program: 'app.exe', shares: [{ ...share, ...change }] })[0]
  assert.equal(line({}), '//srv/app is at /run/user/1000/nbtrun/7f3a, for app.exe alone (SMB 3.1.1, signed, way b2)')
  assert.equal(
    line({ mapping: 'shared', way: 'c', encrypted: true }),
    '//srv/app is at /run/user/1000/nbtrun/7f3a, for all of this user (SMB 3.1.1, encrypted, way c)',
  )
  assert.equal(line({ mapping: 'none', point: undefined, signed: false }), '//srv/app is held for app.exe (SMB 3.1.1, not signed)')
  assert.equal(line({ drive: 'P:' }), '//srv/app is at P: (/run/user/1000/nbtrun/7f3a), for app.exe alone (SMB 3.1.1, signed, way b2)')
  assert.equal(startLines({ program: 'a', shares: [share, share] }).length, 2)
})

test('the wineserver that is there decides what is mapped', () => {
  const event = { type: 'wine', prefix: '/p', server: undefined, mapping: 'private' } as const
  assert.equal(wineLine(event), 'no wineserver of /p runs; the program starts its own, with a private mapping')
  assert.equal(
    wineLine({ ...event, server: 7, mapping: 'shared' }),
    'a wineserver of /p runs already (pid 7); with a shared mapping it sees the share, as a local disk',
  )
})

test('the end says who is gone, how, and what is waited for', () => {
  const ended = { program: 'app.exe', exit: 0, signal: null, graceMs: 0 }
  assert.equal(endLine(ended), 'app.exe is gone, exit code 0')
  assert.equal(endLine({ ...ended, children: 2, graceMs: 5000 }), 'app.exe and its 2 children are gone, exit code 0; grace 5 s')
  assert.equal(endLine({ ...ended, children: 1, exit: 3 }), 'app.exe and its child are gone, exit code 3')
  assert.equal(endLine({ ...ended, exit: null, signal: 'SIGTERM' }), 'app.exe is gone, ended by SIGTERM')
})

test('what was given back is listed with the time it took', () => {
  assert.equal(
    givenBackLine({ ms: 4.1, what: ['mapping', 'app', 'IPC$', 'session', 'connection'], end: 'acknowledged' }),
    'given back in 4.1 ms: mapping, app, IPC$, session, connection (acknowledged)',
  )
  assert.equal(givenBackLine({ ms: 2000, what: ['connection'], end: 'forced' }), 'given back in 2 s: connection (not acknowledged)')
  assert.equal(givenBackLine({ ms: 2000, what: [], end: 'lost' }), 'given back in 2 s: nothing (the connection was lost before)')
})

test('survivors are named', () => {
  const users = [
    { pid: 12, name: 'helper', files: [] },
    { pid: 13, name: 'sh', files: ['x.dbf', 'log/y'] },
  ]
  assert.equal(survivorsLine({ program: 'app', users }), 'app is gone; the share is taken from helper (12), sh (13) with x.dbf, log/y open')
})

test('a receipt is one fact a line', () => {
  const receipt = {
    receipt: 1 as const,
    run: '7f3a',
    program: { path: '/m/app.exe', from: 'share' as const, pid: 4711, exit: 0, signal: null, timedOut: false },
    shares: [
      {
        share: '//srv/app',
        server: 'srv',
        address: '10.0.0.5',
        foundBy: 'dns',
        transport: 'tcp:445',
        calledName: null,
        dialect: '3.1.1',
        signing: 'AES-GMAC',
        guest: false,
        encryption: null,
        mapping: 'private',
        way: 'b2',
        point: '/m',
        drive: 'P:',
        bytesRead: 1048576,
        bytesWritten: 0,
      },
    ],
    wine: { prefix: '/srv/alice/.wine', server: 'started' as const },
    names: [{ name: 'PAYROLL<20>', addresses: ['10.0.0.7'], server: '10.0.0.2', broadcast: true, defended: true, lost: null }],
    steps: [{ phase: 'teardown', name: 'LOGOFF', ok: true, status: 'STATUS_SUCCESS', atMs: 5230.1, ms: 0.4 }],
    heldMs: 5231,
    graceMs: 0,
    releasedMs: 4.1,
    waitedMs: 0,
    attempts: 1,
    reconnects: 0,
    end: 'acknowledged' as const,
    verified: null,
    verification: null,
    survivors: [{ pid: 12, name: 'helper', files: ['log', 'd/x'] }],
    error: { code: 'TIMED_OUT' as const, message: 'it took too long' },
    warnings: ['the server is slow'],
  }
  assert.deepEqual(receiptText(receipt), [
    'receipt of run 7f3a',
    '  program /m/app.exe (pid 4711): exit code 0',
    '  //srv/app on 10.0.0.5 (dns), tcp:445, SMB 3.1.1, signed AES-GMAC',
    '    private mapping (b2) at P:, /m, 1048576 bytes read, 0 written',
    '  name PAYROLL<20> for 10.0.0.7 at 10.0.0.2 and by broadcast',
    '  5.2 s: teardown LOGOFF, STATUS_SUCCESS (0.4 ms)',
    '  still running: helper (12) with log, d/x open',
    '  warning: the server is slow',
    '  failed: it took too long (TIMED_OUT)',
    '  held 5.2 s, given back in 4.1 ms: acknowledged',
  ])
  const nbt = { ...receipt.shares[0]!, foundBy: 'address', transport: 'nbt:139', calledName: 'FILES<20>' }
  const lost = { ...receipt.names[0]!, broadcast: false, defended: false, lost: 'PAYROLL<20> was taken away by 10.0.0.9' }
  const other = receiptText({ ...receipt, shares: [nbt], names: [lost] })
  assert.equal(other[2], '  //srv/app on 10.0.0.5 (address), nbt:139 called FILES<20>, SMB 3.1.1, signed AES-GMAC')
  assert.equal(other[4], '  name PAYROLL<20> for 10.0.0.7 at 10.0.0.2, lost: PAYROLL<20> was taken away by 10.0.0.9')
  const windows = {
    ...receipt.shares[0]!,
    foundBy: 'windows',
    address: '',
    dialect: '',
    signing: null,
    mapping: 'drive',
    way: 'wnet',
    point: 'P:',
    bytesRead: 0,
  }
  assert.equal(receiptText({ ...receipt, shares: [windows] })[2], "  //srv/app by Windows' own client, drive mapping (wnet) at P:")
  assert.equal(
    receiptText({ ...receipt, verified: true, verification: 'srv says that the session is gone' }).at(-1),
    '  held 5.2 s, given back in 4.1 ms: acknowledged; srv says that the session is gone',
  )
})
