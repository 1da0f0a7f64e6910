import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { LANGUAGES, quoteCmd, quoteDesktop, quoteInnerCmd, quotePowerShell, quoteSh, quoteSystemd } from '../../../src/profile/quoting.ts'
import { render, templateName, TEMPLATES, type TemplateName } from '../../../src/profile/templates.ts'

const folder = new URL('../../../templates/', import.meta.url)
const NAMES = Object.keys(TEMPLATES) as TemplateName[]
const lineEnd = (name: TemplateName): string => LANGUAGES[TEMPLATES[name].language].newline
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

test('only the words behind nbtrun change', () => {
  for (const name of NAMES) {
    const { quote, between } = LANGUAGES[TEMPLATES[name].language]
    const words = (options: readonly string[], program: readonly string[]): string =>
      [...options, '--', ...program].map(quote).join(between).replaceAll('\n', lineEnd(name))
    const [before = '', after = ''] = text(name).split(words(TEMPLATES[name].example, TEMPLATES[name].program))
    const rendered = render(name, text(name), ['--share', '//srv/x'], ['p', '$&', '$1'])
    assert.equal(rendered, before + words(['--share', '//srv/x'], ['p', '$&', '$1']) + after, name)
  }
})

test('files for Windows have CRLF line ends whatever their template has, PowerShell a mark of UTF-8', () => {
  const lone = (script: string): boolean => /[^\r]\n/.test(script)
  for (const name of NAMES) {
    const windows = /\.(cmd|ps1)$/.test(TEMPLATES[name].file)
    const stripped = render(name, text(name).replaceAll('\r', ''), TEMPLATES[name].example, ['a'])
    assert.deepEqual([lone(text(name)), lone(stripped), stripped.includes('\r')], [!windows, !windows, windows], name)
  }
  assert.ok(text('logon-powershell').startsWith('\ufeff'))
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

test('words are quoted for a cmd inside a batch file and PowerShell, for desktop entries and systemd', () => {
  assert.equal(quoteInnerCmd('100%PATH% "x"'), '"100%%pc%%PATH%%pc%% ""x"""')
  assert.equal(quotePowerShell("it's ‘so’ $x"), "'it''s ‘‘so’’ $x'")
  assert.equal(quoteDesktop('a $b "c" \\ 5%'), '"a \\\\$b \\\\"c\\\\" \\\\\\\\ 5%%"')
  assert.equal(quoteSystemd('a $b "c" \\ 5%'), '"a $$b \\"c\\" \\\\ 5%%"')
})

test('a line break, or any control character, is refused in every language', () => {
  for (const { quote } of Object.values(LANGUAGES))
    for (const word of ['a\nb', 'a\rb', 'a\0b', '\u001b', 'a\u0085b', 'a\u2028b'])
      assert.throws(() => quote(word), { code: 'USAGE', message: /control character/ })
})
