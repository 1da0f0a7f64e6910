import { netUse } from './netuse.ts'
import { pieces } from './syntax.ts'
import { plainText, unknownIn, Variables } from './variables.ts'

/** The passwords of a batch file, wherever they stand: also in remarks, and in lines that are never reached. */
export function secretsOf(lines: readonly string[], variables: Variables): string[] {
  const found = new Set<string>()
  for (const line of lines) {
    const bare = line.replace(/^[\s@]*(?:rem\b|::)/i, '')
    const [, name, value] = /^\s*@?set\s+"?([^="]+)=(.*?)"?\s*$/i.exec(bare) ?? []
    if (name !== undefined && value !== undefined) variables.set(name, value.replace(/\^(.)/g, '$1'))
    for (const piece of pieces(variables.expand(bare))) {
      if (typeof piece === 'string') continue
      const words = piece.words.map(plainText)
      const at = words.findIndex((word, index) => /^@?net(?:\.exe)?$/i.test(word) && /^use$/i.test(words[index + 1] ?? ''))
      const { password } = at < 0 ? { password: undefined } : netUse(words.slice(at + 2))
      const [, switched] = /[-/](?:pass(?:word)?|pwd?):"?([^\s"]+)/i.exec(words.join(' ')) ?? []
      for (const secret of [password, switched])
        if (secret !== undefined && secret !== '' && secret !== '*' && unknownIn(secret) === undefined) found.add(secret)
    }
  }
  return [...found].sort((a, b) => b.length - a.length)
}

/** `***` for each password, however it is written there. */
export function masked(text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => {
    // one of two letters may be a part of any word
    const wanted = new RegExp(secret.length > 2 ? escaped(secret) : `(?<=^|[\\s"=:])${escaped(secret)}(?=$|[\\s"])`, 'g')
    const form = [shown, shown.replaceAll('^', ''), shown.replace(/[\^"]/g, '')].find(each => each.search(wanted) >= 0)
    return form === undefined ? shown : form.replace(wanted, '***')
  }, text)
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
