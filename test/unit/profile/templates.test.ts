import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { quoteCmd, quoteSh, render, templateName, TEMPLATES, type TemplateName } from '../../../src/profile/templates.ts'

const folder = new URL('../../../templates/', import.meta.url)
const NAMES = Object.keys(TEMPLATES) as TemplateName[]
const text = (name: TemplateName): string => readFileSync(new URL(TEMPLATES[name].file, folder), 'utf8')

test('every file in templates/ is a template, and the other way round', () => {
  assert.deepEqual(readdirSync(folder).sort(), NAMES.map(name => TEMPLATES[name].file).sort())
})

test('a template is known by its name and by its file', () => {
  assert.equal(templateName('login'), 'login')
  assert.equal(templateName('logon.cmd'), 'logon')
  for (const word of ['nope', '', 'toString', '../login']) assert.throws(() => templateName(word), { code: 'USAGE', hint: 'nbtrun script --list' })
})

test("with its example's words a template is its file", () => {
  for (const name of NAMES) assert.equal(render(name, text(name), TEMPLATES[name].example, TEMPLATES[name].program), text(name), name)
})

test('only the nbtrun line changes, and passes on what the launcher was given', () => {
  for (const name of NAMES) {
    const before = text(name).split('\n')
    const rendered = render(name, text(name), ['--share', '//srv/x'], ['p', '$&', '$1']).split('\n')
    const changed = rendered.flatMap((line, at) => (line === before[at] ? [] : [line]))
    assert.equal(changed.length, 1, name)
    assert.equal(rendered.length, before.length)
    assert.match(changed[0] ?? '', /nbtrun --share ['"]\/\/srv\/x['"] -- ['"]p['"] ['"]\$&['"] ['"]\$1['"]( "\$@")?\r?$/, name)
  }
})

test('a batch file has CRLF line ends whatever its template has', () => {
  assert.ok(!/[^\r]\n/.test(text('logon')), 'the file itself')
  assert.ok(!/[^\r]\n/.test(render('logon', text('logon').replaceAll('\r', ''), [], ['a'])))
  assert.ok(!text('login').includes('\r'))
})

test('words are quoted for sh', () => {
  assert.equal(quoteSh("it's $HOME `x` \\"), "'it'\\''s $HOME `x` \\'")
  assert.equal(quoteSh(''), "''")
})

test('words are quoted for cmd and for the C runtime behind it', () => {
  assert.equal(quoteCmd('a b&c^d!'), '"a b&c^d!"')
  assert.equal(quoteCmd('100%PATH%'), '"100%%PATH%%"')
  assert.equal(quoteCmd('say "hi"'), '"say ""hi"""')
  assert.equal(quoteCmd('C:\\dir\\'), '"C:\\dir\\\\"')
  assert.equal(quoteCmd('a\\"b'), '"a\\\\""b"')
  assert.equal(quoteCmd(''), '""')
})

test('a line break, or any control character, is refused', () => {
  for (const quote of [quoteSh, quoteCmd])
    for (const word of ['a\nb', 'a\rb', 'a\0b', '\u001b']) assert.throws(() => quote(word), { code: 'USAGE', message: /control character/ })
})
