import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findInLmhosts, type Lmhosts, readLmhosts } from '../../../src/nbt/lmhosts.ts'
import { Random } from './random.ts'

function read(files: Readonly<Record<string, string>>): Promise<Lmhosts> {
  return readLmhosts('lmhosts', path => {
    const text = files[path]
    return text === undefined ? Promise.reject(Object.assign(new Error('none'), { code: 'ENOENT' })) : Promise.resolve(text)
  })
}

const find = async (files: Readonly<Record<string, string>>, text: string, suffix = 0x20) => findInLmhosts((await read(files)).entries, { text, suffix })

const FILE = String.raw`# a comment
102.54.94.97     rhino         #PRE #DOM:networking  #net group's DC
102.54.94.102    "appname        \0x14"                #special app server
102.54.94.123    popular            #PRE             #source server
102.54.94.117    localsrv           #PRE             #needed for the include

  10.0.0.5	tabbed
10.0.0.6 popular
`

test('lines, tags, suffixes and comments', async () => {
  const { entries, complaints } = await read({ lmhosts: FILE })
  assert.deepEqual(complaints, [])
  assert.deepEqual(entries.slice(0, 3), [
    { address: '102.54.94.97', text: 'RHINO', suffix: undefined, preloaded: true, domain: 'NETWORKING' },
    { address: '102.54.94.102', text: 'APPNAME', suffix: 0x14, preloaded: false, domain: undefined },
    { address: '102.54.94.123', text: 'POPULAR', suffix: undefined, preloaded: true, domain: undefined },
  ])
  assert.deepEqual(
    entries.map(({ text }) => text),
    ['RHINO', 'APPNAME', 'POPULAR', 'LOCALSRV', 'TABBED', 'POPULAR'],
  )
})

test('a plain name is its workstation, messenger and server; one with a suffix is that alone; #DOM is a domain’s controller', async () => {
  const files = { lmhosts: FILE }
  assert.deepEqual(await find(files, 'POPULAR'), ['102.54.94.123', '10.0.0.6'])
  for (const suffix of [0x00, 0x03, 0x20]) assert.deepEqual(await find(files, 'RHINO', suffix), ['102.54.94.97'])
  assert.deepEqual(await find(files, 'RHINO', 0x1b), [])
  assert.deepEqual([await find(files, 'APPNAME', 0x14), await find(files, 'APPNAME')], [['102.54.94.102'], []])
  assert.deepEqual(await find(files, 'NETWORKING', 0x1c), ['102.54.94.97'])
  assert.deepEqual(await find(files, 'NETWORKING'), [])
})

test('#INCLUDE reads another file in place; of the alternates the first that is there', async () => {
  const files = {
    lmhosts:
      '10.0.0.1 one\n#INCLUDE more\n#BEGIN_ALTERNATE\n#INCLUDE \\\\srv\\public\\lmhosts\n#INCLUDE second\n#INCLUDE third\n#END_ALTERNATE\n#INCLUDE last\n',
    more: '10.0.0.2 two\r\n',
    second: '10.0.0.3 three',
    third: '10.0.0.4 four',
    last: '#INCLUDE lmhosts\n10.0.0.5 five',
  }
  const { entries, complaints } = await read(files)
  assert.deepEqual(
    entries.map(({ text }) => text),
    ['ONE', 'TWO', 'THREE', 'FIVE'],
  )
  assert.deepEqual(complaints, ['\\\\srv\\public\\lmhosts: ENOENT'])
})

test('lines that say nothing are complaints with their place, and the others count', async () => {
  const { entries, complaints } = await read({ lmhosts: '10.0.0.1\nnot.an.address srv\n10.0.0.256 srv\n10.0.0.1 a-name-that-is-too-long\n10.0.0.2 fine\n' })
  assert.deepEqual(
    entries.map(({ text }) => text),
    ['FINE'],
  )
  assert.deepEqual(
    complaints.map(text => text.split(' ')[0]),
    ['lmhosts:1:', 'lmhosts:2:', 'lmhosts:3:', 'lmhosts:4:'],
  )
})

test('no file, a file that includes without end, and random bytes', async () => {
  assert.deepEqual(await read({}), { entries: [], complaints: ['lmhosts: ENOENT'] })
  const endless: Record<string, string> = { lmhosts: '#INCLUDE f0' }
  for (let i = 0; i < 100; i++) endless[`f${i}`] = `10.0.0.1 n${i}\n#INCLUDE f${i + 1}`
  assert.equal((await read(endless)).entries.length, 15)
  const r = new Random(1)
  for (let i = 0; i < 300; i++) await read({ lmhosts: r.mutate(Buffer.from(FILE)).toString('latin1') })
})
