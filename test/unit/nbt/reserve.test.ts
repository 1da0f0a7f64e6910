import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseName } from '../../../src/nbt/names.ts'
import { reserve } from '../../../src/nbt/reserve.ts'

// a name that no other run of these tests on this machine has
const name = parseName(`T${process.pid}`, 0x20)

test('a name is one process’s on this machine, the next is told which has it, and may have it once it is given back', async () => {
  const giveBack = await reserve(name)
  await assert.rejects(reserve(name), {
    code: 'NAME_HELD',
    message: `the name T${process.pid}<20> is held by process ${process.pid} on this machine`,
    facts: { name: `T${process.pid}<20>`, by: 'this machine', pid: process.pid },
  })
  // other names, suffixes and scopes are others'
  for (const other of [parseName(`T${process.pid}`, 0), parseName(`T${process.pid}`, 0x20, 'corp')]) await (await reserve(other))()
  await giveBack()
  await giveBack()
  await (await reserve(name))()
})

test('who is killed has given it back', async () => {
  const script = `const { reserve } = await import('./src/nbt/reserve.ts')
    const { parseName } = await import('./src/nbt/names.ts')
    await reserve(parseName('T${process.pid}', 0x20))
    console.log('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../../../', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exited])
  await assert.rejects(reserve(name), { message: new RegExp(`held by process ${child.pid} on this machine$`) })
  child.kill('SIGKILL')
  await exited
  await (await reserve(name))()
})

test('who gives back what a dead program left has a name only in passing: the others wait for it, and have it then', async () => {
  const giveBack = await reserve(name, { passing: true })
  let done = false
  const wait = async () => {
    const undo = await reserve(name)
    assert.ok(done, 'it was had before it was given back')
    return undo
  }
  const next = wait()
  await new Promise<void>(resolve => setImmediate(resolve))
  done = true
  await giveBack()
  const undo = await next
  await assert.rejects(reserve(name, { passing: true }), { code: 'NAME_HELD', facts: { name: `T${process.pid}<20>`, by: 'this machine', pid: process.pid } })
  await undo()
})
