import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KEYS, missing, useLab } from './index.ts'

const skip = missing('lab', 'terminal')

test('a program in a terminal sees one, gets keys, and its end is told', { skip }, async () => {
  const lab = await useLab()
  const terminal = await lab.terminal('client1', ['sh', '-c', 'test -t 0 && test -t 2 && stty size && read -r word && echo "got $word" && exit 7'], {
    user: 'alice',
  })
  await terminal.see('24 100')
  terminal.line('hello')
  await terminal.see('got hello')
  const end = await terminal.end()
  assert.deepEqual([end.code, end.signal, end.state?.echo], [7, undefined, true])
})

test('Ctrl-C ends the foreground program and not the shell, and Ctrl-Z stops it until fg', { skip }, async () => {
  const lab = await useLab()
  const terminal = await lab.terminal('client1', ['bash', '--norc', '-i'], { env: { PS1: 'ready> ' } })
  let at = await terminal.see('ready> ')
  const before = await terminal.state()
  terminal.line('sh -c "echo running; exec sleep 60"')
  at = await terminal.see(/[\r\n]running/, undefined, at)
  assert.notEqual((await terminal.state()).foreground, before.foreground)
  terminal.type(KEYS.suspend)
  at = await terminal.see(/Stopped.*ready> /s, undefined, at)
  terminal.line('fg')
  at = await terminal.see(/[\r\n]sh -c/, undefined, at)
  while ((await terminal.state()).foreground === before.foreground); // the shell names the job before it lets it have the terminal
  terminal.type(KEYS.interrupt)
  at = await terminal.see('ready> ', undefined, at)
  terminal.line('echo $?')
  await terminal.see(/[\r\n]130/, undefined, at)
  terminal.line('exit')
  assert.deepEqual((await terminal.end()).signal, undefined)
})

test('what a program leaves the terminal in is told', { skip }, async () => {
  const lab = await useLab()
  const terminal = await lab.terminal('client1', ['stty', '-echo', '-icanon'])
  const { state } = await terminal.end()
  assert.deepEqual([state?.echo, state?.canonical], [false, false])
})

test('closing the terminal hangs up its session', { skip }, async () => {
  const lab = await useLab()
  const terminal = await lab.terminal('client1', ['sleep', '60'])
  await terminal.close()
  assert.equal((await terminal.end()).signal, 'SIGHUP')
})
