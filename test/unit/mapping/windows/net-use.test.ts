import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNetUse } from '../../../../src/mapping/windows/net-use.ts'

test('the list of net use is read in any language: what names a share is a connection', () => {
  const text = [
    'Neue Verbindungen werden gespeichert.',
    '',
    'Status       Lokal     Remote                    Netzwerk',
    '-------------------------------------------------------------------------------',
    'OK           P:        \\\\srv\\app                 Microsoft Windows Network',
    'Getrennt     q:        \\\\server.example.org\\a long name\\folder',
    '                                                Microsoft Windows Network',
    'OK                     \\\\srv\\IPC$                Microsoft Windows Network',
    'Der Befehl wurde erfolgreich ausgeführt.',
  ].join('\r\n')
  assert.deepEqual(parseNetUse(text), [
    { device: 'P:', remote: '\\\\srv\\app' },
    { device: 'Q:', remote: '\\\\server.example.org\\a long name\\folder' },
    { device: '', remote: '\\\\srv\\IPC$' },
  ])
})
