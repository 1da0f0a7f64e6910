/** One command of a batch file, its variables already put in. */
export interface Command {
  /** As the file has it, blanks around it away. */
  readonly text: string
  /** Quotes and carets are gone. */
  readonly words: readonly string[]
  /** What stands between it and the command before it on the line. */
  readonly after: '' | '&' | '&&' | '||' | '|'
  /** `>nul`, `2>&1`, `<in.txt`. */
  readonly redirections: readonly string[]
}

/** A piece of a line: a command, or a parenthesis that begins or ends a block. */
export type Piece = Command | '(' | ')'

/** Lines that a caret at their end joins, each with the number of its first, from 1. */
export function logicalLines(lines: readonly string[]): { readonly number: number; readonly text: string }[] {
  const joined: { number: number; text: string }[] = []
  let open: { number: number; text: string } | undefined
  for (const [at, line] of lines.entries()) {
    open = open === undefined ? { number: at + 1, text: line } : { ...open, text: open.text + line.trimStart() }
    const goesOn = /(^|[^^])(\^\^)*\^$/.test(open.text) && !isRemark(open.text)
    if (goesOn) open.text = open.text.slice(0, -1)
    else {
      joined.push(open)
      open = undefined
    }
  }
  if (open !== undefined) joined.push(open)
  return joined
}

/** `rem ...` and `:: ...`. */
export const isRemark = (line: string): boolean => /^[\s@]*(?:rem(?:[\s.:;,/]|$)|::)/i.test(line)

/**
 * Takes a line apart as cmd does once variables are in: `&`, `|`, parentheses, `<` and `>` count outside quotes and without a caret before
 * them; a parenthesis opens a block only where a command may begin or behind `if`, `else` and `for`.
 */
export function pieces(line: string): Piece[] {
  const found: Piece[] = []
  let words: string[] = [],
    redirections: string[] = [],
    word: string | undefined,
    quoted = false,
    from = 0,
    after: Command['after'] = ''
  const endWord = (): void => {
    if (word !== undefined) words.push(word)
    word = undefined
  }
  const endCommand = (at: number, next: Command['after']): void => {
    endWord()
    if (words.length > 0 || redirections.length > 0) {
      words[0] = words[0]?.replace(/^@+/, '') ?? ''
      found.push({ text: line.slice(from, at).trim(), words: words[0] === '' ? words.slice(1) : words, after, redirections })
    }
    words = []
    redirections = []
    after = next
    from = at + Math.max(1, next.length)
  }
  for (let at = 0; at < line.length; at++) {
    const c = line[at] ?? ''
    if (c === '"') {
      quoted = !quoted
      word ??= ''
    } else if (quoted) word = (word ?? '') + c
    else if (c === '^') word = (word ?? '') + (line[++at] ?? '')
    else if (c === ' ' || c === '\t') endWord()
    else if (c === '&' || c === '|') {
      const twice = line[at + 1] === c
      endCommand(at, (twice ? c + c : c) as Command['after'])
      if (twice) at++
    } else if (c === '(' && word === undefined && (words.length === 0 || /^@?(?:if|else|for)$/i.test(words[0] ?? ''))) {
      endCommand(at, '')
      found.push('(')
    } else if (c === ')' && (found.includes('(') || (words.length === 0 && word === undefined))) {
      endCommand(at, '')
      found.push(')')
    } else if (c === '<' || c === '>') {
      const [, handle = ''] = /^(?:.*[^\d])?(\d)$/.exec(word ?? '') ?? []
      if (word === handle) word = undefined
      endWord()
      const [sign = c] = /^(?:>>|>|<)(?:&\d)?/.exec(line.slice(at)) ?? []
      at += sign.length
      const rest = line.slice(at)
      const [target = ''] = sign.includes('&') ? [''] : (/^\s*(?:"[^"]*"|[^\s&|<>()]*)/.exec(rest) ?? [''])
      redirections.push(`${handle}${sign}${target.trim()}`)
      at += target.length - 1
    } else word = (word ?? '') + c
  }
  endCommand(line.length, '')
  return found
}
