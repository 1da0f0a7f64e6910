import { isRemark, logicalLines, pieces, type Command } from './syntax.ts'
import { netUse, waits, type NetUse } from './netuse.ts'
import { ownName, Plan, type Kind, type Tell } from './plan.ts'
import { started } from './start.ts'
import { masked, secretsOf } from './secrets.ts'
import { plainText, unknownIn, Variables } from './variables.ts'

/** What became of one command. */
export interface Row {
  readonly line: number
  /** As the file has it; a password is `***`. */
  readonly text: string
  readonly became: string
  /** `lost`: the run does less than the file did. */
  readonly kind: Kind
}

/** The run of a batch file. */
export interface Imported {
  readonly rows: readonly Row[]
  readonly shares: readonly string[]
  readonly user: string | undefined
  /** Found in the file; to be put where only its owner reads it. */
  readonly password: string | undefined
  /** The first one that is logged in to. */
  readonly server: string | undefined
  readonly chdir: string | undefined
  readonly env: readonly string[]
  readonly graceSeconds: number
  readonly waitSeconds: number
  readonly program: readonly string[] | undefined
  /** The program gets the words that the batch file is given. */
  readonly passesWords: boolean
  /** Why there is no such run at all. */
  readonly refused: string | undefined
}

const SILENT = /^(?:echo[.:;,/[\]\\]?.*|title|cls|color|mode|chcp|prompt|verify|break|setlocal|endlocal|pause|rem|date|time|ver)$/i
const BUILTIN =
  /^(?:copy|xcopy|robocopy|del|erase|md|mkdir|rd|rmdir|move|ren|rename|type|find|findstr|attrib|assoc|ftype|reg|regedit|net|taskkill|shutdown|for|mklink)$/i

/** Reads a batch file as far as a run can be made of it: from the top, as when nothing fails. `defined` are variables that it leaves open. */
export function importBatch(lines: readonly string[], defined: readonly { readonly name: string; readonly value: string }[] = []): Imported {
  return new Reading(lines, defined).read()
}

class Reading {
  readonly #lines: ReturnType<typeof logicalLines>
  readonly #labels = new Map<string, number>()
  readonly #variables: Variables
  readonly #plan: Plan
  readonly #secrets: readonly string[]
  readonly #rows: Row[] = []
  readonly #settled: { name: string; value: string; row: number }[] = []
  /** Why what stands in a block is not done every time; undefined for a plain one. */
  readonly #blocks: (string | undefined)[] = []
  #pending: string | undefined
  #lastBlock: string | undefined
  #refused: string | undefined
  #lostProgram = false
  /** Past the end, or past over: what is reached by goto alone. */
  #until: string | undefined

  constructor(lines: readonly string[], defined: readonly { readonly name: string; readonly value: string }[]) {
    this.#lines = logicalLines(lines)
    this.#variables = new Variables(defined)
    this.#secrets = secretsOf(
      this.#lines.map(({ text }) => text),
      new Variables(defined),
    )
    this.#plan = new Plan(this.#secrets)
    for (const { number, text } of this.#lines) {
      const label = labelOf(text)
      if (label !== undefined && !this.#labels.has(label)) this.#labels.set(label, number)
    }
  }

  read(): Imported {
    for (const { number, text } of this.#lines) this.#line(number, text)
    this.#tellVariables()
    const { shares } = this.#plan.places
    const long = this.#secrets.filter(secret => secret.length > 5) // a short one may be a part of any word
    if (shares.length === 0) this.#refused ??= 'it maps no share'
    else if (this.#plan.program === undefined) this.#refused ??= this.#lostProgram ? 'a variable is open where it starts its program' : 'it starts no program'
    return {
      rows: this.#rows.map(row => ({ ...row, text: masked(row.text, this.#secrets), became: masked(row.became, long) })),
      shares: shares.map(({ label, point }) => (point === '{mount}' ? label : `${label}=${point}`)),
      user: this.#plan.user,
      password: this.#plan.password,
      server: this.#plan.server,
      chdir: this.#plan.chdir,
      env: this.#settled.flatMap(({ name, value }) => (this.#variables.used(name) || this.#plan.holdsPassword(value) ? [] : [`${name}=${value}`])),
      graceSeconds: this.#plan.graceSeconds,
      waitSeconds: this.#plan.waitSeconds,
      program: this.#plan.program,
      passesWords: this.#plan.passesWords,
      refused: this.#refused,
    }
  }

  #line(line: number, text: string): void {
    const shown = text.trim()
    if (shown === '') return
    const label = labelOf(text)
    const tell = (became: string, kind: Row['kind'] = 'dropped', what = shown): void => {
      this.#rows.push({ line, text: what, became, kind })
    }
    if (label !== undefined) {
      if (label === this.#until) this.#until = undefined
      return tell(this.#until === undefined ? 'a label: the run goes on' : 'a label that only goto leads to')
    }
    if (isRemark(text)) return tell('a remark')
    if (this.#until !== undefined) return tell(this.#until === END ? 'behind the end: only goto or call lead here' : 'passed over by goto')
    const found = pieces(this.#variables.expand(text))
    const [begin] = found
    if (typeof begin === 'object' && /^for$/i.test(begin.words[0] ?? '')) {
      const open = found.filter(piece => piece === '(').length - found.filter(piece => piece === ')').length
      if (open > 0) this.#blocks.push(LOOPS)
      return tell(LOOPS, 'lost')
    }
    const alone = found.filter(piece => typeof piece !== 'string').length === 1
    let piped = false
    for (const [at, piece] of found.entries()) {
      if (piece === '(') {
        this.#blocks.push(this.#pending)
        this.#pending = undefined
      } else if (piece === ')') this.#lastBlock = this.#blocks.pop()
      else {
        const next = found[at + 1]
        // the text as it stands, unless there are several on the line, or what is shown would be a password in pieces
        const what = (became: string, kind: Row['kind']): void => tell(became, kind, alone ? shown : plainText(piece.text))
        if (typeof next === 'object' && next.after === '|') {
          piped = true
          what(
            /^echo\b/i.test(piece.text) ? 'an answer to a question: nothing is asked' : `its output cannot be handed on`,
            /^echo\b/i.test(piece.text) ? 'dropped' : 'lost',
          )
          continue
        }
        this.#command(line, piece, what, next === '(', piped)
        piped = false
      }
    }
  }

  #command(line: number, command: Command, tell: Tell, opensBlock: boolean, piped: boolean): void {
    const words = command.words.map(plainText)
    const [name = '', ...rest] = words
    const lower = name.toLowerCase().replace(/\.(?:exe|com)$/, '')
    if (lower === 'else' || lower === 'if' || lower === 'for') return this.#conditional(line, command, tell, opensBlock)
    const condition = this.#blocks.find(block => block !== undefined)
    if (condition !== undefined) return tell(condition, condition === FAILED ? 'dropped' : 'lost')
    if (command.after === '||') return tell(FAILED, 'dropped')
    if (lower === 'set') return this.#assign(rest, command, tell)
    if (lower === 'goto') return this.#goto(line, rest[0] ?? '', tell)
    if (lower === 'exit') {
      this.#until = END
      return tell('the end; the exit code is that of the program', 'dropped')
    }
    if (SILENT.test(name) || (piped && lower === 'more')) return tell(lower === 'pause' ? 'nobody has to press a key' : 'nothing: nbtrun is silent', 'dropped')
    const isNetUse = lower === 'net' && rest[0]?.toLowerCase() === 'use'
    const unknown = isNetUse ? openIn(netUse(rest.slice(1))) : words.map(unknownIn).find(found => found !== undefined && found !== '%*')
    if (unknown !== undefined) {
      this.#lostProgram ||= !isNetUse
      return tell(`${unknown} is not set in this file: --define ${unknown.replace(/[%!]/g, '')}=VALUE`, 'lost')
    }
    const seconds = waits(words)
    if (seconds !== undefined) return this.#plan.wait(seconds, tell)
    if (isNetUse) return this.#plan.netUse(rest.slice(1), tell)
    if (lower === 'subst') return this.#plan.subst(rest, tell)
    if (/^[a-z]:$/i.test(name) && rest.length === 0) return this.#plan.enter(name, tell)
    if (lower === 'cd' || lower === 'chdir') return this.#plan.enter(rest.filter(word => !/^\/d$/i.test(word)).join(' '), tell)
    if (/^(?:cd|chdir)[\\/.]/i.test(name)) return this.#plan.enter(name.slice(name.search(/[\\/.]/)), tell)
    if (lower === 'pushd') return this.#plan.pushd(rest[0] ?? '', tell)
    if (lower === 'popd') {
      this.#plan.places.pop()
      return tell('the run ends where it began', 'dropped')
    }
    if (lower === 'call' && rest[0]?.startsWith(':') === true) return tell('a part of the file called as if it were one of its own: not read', 'lost')
    if (BUILTIN.test(lower)) return tell('no part of a run: put it before or behind the nbtrun line', 'lost')
    if (lower === 'start') return this.#plan.start(started(rest), command, tell)
    return this.#plan.start(lower === 'call' ? { words: rest, folder: undefined, note: '' } : { words, folder: undefined, note: '' }, command, tell)
  }

  /** `if`, `else`, `for`: on the way that is gone when nothing fails, or not. */
  #conditional(line: number, command: Command, tell: Tell, opensBlock: boolean): void {
    const [name = '', ...rest] = command.words.map(plainText)
    const { kind, does } = this.#judge(name.toLowerCase(), rest)
    if (opensBlock) {
      this.#pending = kind
      return tell(kind ?? 'so it is when nothing fails: the run goes on', kind === undefined || kind === FAILED ? 'dropped' : 'lost')
    }
    const [verb = '', label = ''] = does
    if (/^goto$/i.test(verb) && this.#isBehind(line, label)) return this.#goto(line, label, tell)
    if (kind === undefined) return this.#command(line, { ...command, words: does }, tell, false, false)
    tell(kind, kind === FAILED || /^(?:echo|goto|exit|pause|@)/i.test(verb) ? 'dropped' : 'lost')
  }

  #judge(name: string, words: readonly string[]): { kind: string | undefined; does: readonly string[] } {
    if (name === 'else') return { kind: this.#lastBlock === FAILED ? undefined : this.#lastBlock === undefined ? FAILED : SOMETIMES, does: words }
    const rest = words.filter(word => !/^\/i$/i.test(word))
    const not = rest[0]?.toLowerCase() === 'not'
    const [what = '', operand = '', third = '', ...others] = not ? rest.slice(1) : rest
    const upon = (truth: boolean | undefined): string | undefined => (truth === undefined ? SOMETIMES : truth === not ? FAILED : undefined)
    const behind = [third, ...others]
    switch (what.toLowerCase()) {
      case 'errorlevel':
        return { kind: this.#plan.program === undefined ? upon(false) : CODE, does: behind }
      case 'exist':
        return {
          kind: upon(/^[a-z]:/i.test(operand) || operand.startsWith('\\\\') ? this.#plan.places.locate(operand) !== undefined : undefined),
          does: behind,
        }
      case 'defined':
        return { kind: upon(this.#variables.has(operand) ? true : undefined), does: behind }
    }
    const compares = /==/.test(what) ? [operand, ...behind] : operand.startsWith('==') && operand.length > 2 ? behind : others
    if (!/errorlevel/i.test(what)) return { kind: SOMETIMES, does: compares }
    const isZero = /^(?:equ|==)$/i.test(operand) ? third === '0' : what.endsWith('==0')
    return { kind: this.#plan.program === undefined ? upon(isZero) : CODE, does: compares }
  }

  #isBehind(line: number, label: string): boolean {
    return (this.#labels.get(label.replace(/^:/, '').toLowerCase()) ?? Infinity) < line
  }

  #goto(line: number, word: string, tell: Tell): void {
    const label = word.replace(/^:/, '').toLowerCase()
    if (this.#isBehind(line, label)) {
      this.#refused = `line ${line} goes back to :${label}: a loop is no run (where it waits for a seat or the network, --wait does that)`
      return tell('a loop: no run', 'lost')
    }
    this.#until = label === 'eof' || !this.#labels.has(label) ? END : label
    tell(this.#until === END ? 'the end' : 'the run goes on there', 'dropped')
  }

  #assign(words: readonly string[], command: Command, tell: Tell): void {
    if (/^\/[ap]$/i.test(words[0] ?? '')) {
      const asked = /^\/p$/i.test(words[0] ?? '')
      return tell(asked ? 'a question: nbtrun asks for a password by itself, for nothing else' : 'arithmetic: not read', 'lost')
    }
    // cmd takes all behind the first `=`, blanks at its end too; quotes around the whole are none of it
    const [, name, value] = /^@?set\s+"?([^="]+)=(.*)$/is.exec(plainText(command.text)) ?? []
    if (name === undefined || value === undefined) return tell('nothing', 'dropped')
    const text = value.replace(/"\s*$/, '').replace(/\^(.)/g, '$1')
    if (text === '') {
      this.#variables.forget(name)
      return tell('nothing: it is not set', 'dropped')
    }
    if (unknownIn(text) !== undefined) return tell(`${unknownIn(text) ?? ''} is not set in this file`, 'lost')
    this.#variables.set(name, text)
    tell('', 'taken')
    this.#settled.push({ name, value: this.#plan.argument(text, 'either'), row: this.#rows.length - 1 })
  }

  /** What a variable became is known at the end: put in where it is used, else a variable of the program. */
  #tellVariables(): void {
    for (const { name, value, row } of this.#settled) {
      const found = this.#rows[row]
      const used = this.#variables.used(name)
      const became = used ? 'put in where it is used' : this.#plan.holdsPassword(value) ? 'a password: not handed to the program' : `--env ${name}=${value}`
      if (found !== undefined) this.#rows[row] = { ...found, became, kind: used ? 'dropped' : this.#plan.holdsPassword(value) ? 'lost' : 'taken' }
    }
  }
}

const END = ':eof'
const FAILED = 'only when something failed: nbtrun says so and ends with its code'
const CODE = 'upon the exit code of the program, which is that of nbtrun: ask it behind the line'
const LOOPS = 'for: what it repeats is not read'
const SOMETIMES = 'not every time: the run is what happens otherwise'

function labelOf(line: string): string | undefined {
  return /^\s*:([^\s:+,;=]+)/.exec(line)?.[1]?.toLowerCase()
}

/** What must be known of a mapping; a password that is not is asked for. */

function openIn({ unc, user }: NetUse): string | undefined {
  return unknownIn(unc ?? '') ?? (ownName(user ?? '') ? undefined : unknownIn(user ?? ''))
}
