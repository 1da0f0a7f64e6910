import { isRemark, logicalLines, pieces, type Command } from './syntax.ts'
import { netUse, waits, type NetUse } from './netuse.ts'
import { Places } from './places.ts'
import { masked, secretsOf } from './secrets.ts'
import { plainText, unknownIn, Variables } from './variables.ts'

/** What became of one command. */
export interface Row {
  readonly line: number
  /** As the file has it; a password is `***`. */
  readonly text: string
  readonly became: string
  /** `lost`: the run does less than the file did. */
  readonly kind: 'taken' | 'dropped' | 'lost'
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

type Tell = (became: string, kind: Row['kind']) => void

/** Reads a batch file as far as a run can be made of it: from the top, as when nothing fails. `defined` are variables that it leaves open. */
export function importBatch(lines: readonly string[], defined: readonly { readonly name: string; readonly value: string }[] = []): Imported {
  return new Reading(lines, defined).read()
}

class Reading {
  readonly #lines: ReturnType<typeof logicalLines>
  readonly #labels = new Map<string, number>()
  readonly #variables: Variables
  readonly #places = new Places()
  readonly #secrets: readonly string[]
  readonly #rows: Row[] = []
  readonly #settled: { name: string; value: string; row: number }[] = []
  /** Why what stands in a block is not done every time; undefined for a plain one. */
  readonly #blocks: (string | undefined)[] = []
  #pending: string | undefined
  #lastBlock: string | undefined
  #user: string | undefined
  #password: string | undefined
  #server: string | undefined
  #program: string[] | undefined
  #passesWords = false
  #chdir: string | undefined
  #waitSeconds = 0
  #graceSeconds = 0
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
    for (const { number, text } of this.#lines) {
      const label = labelOf(text)
      if (label !== undefined && !this.#labels.has(label)) this.#labels.set(label, number)
    }
  }

  read(): Imported {
    for (const { number, text } of this.#lines) this.#line(number, text)
    this.#tellVariables()
    const { shares } = this.#places
    if (shares.length === 0) this.#refused ??= 'it maps no share'
    else if (this.#program === undefined) this.#refused ??= this.#lostProgram ? 'a variable is open where it starts its program' : 'it starts no program'
    return {
      rows: this.#rows.map(row => ({ ...row, text: masked(row.text, this.#secrets) })),
      shares: shares.map(({ label, point }) => (point === '{mount}' ? label : `${label}=${point}`)),
      user: this.#user,
      password: this.#password,
      server: this.#server,
      chdir: this.#chdir,
      env: this.#settled.flatMap(({ name, value }) => (this.#variables.used(name) || this.#holdsPassword(value) ? [] : [`${name}=${value}`])),
      graceSeconds: this.#graceSeconds,
      waitSeconds: this.#waitSeconds,
      program: this.#program,
      passesWords: this.#passesWords,
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
    if (seconds !== undefined) return this.#wait(seconds, tell)
    if (isNetUse) return this.#netUse(rest.slice(1), tell)
    if (lower === 'subst') return this.#subst(rest, tell)
    if (/^[a-z]:$/i.test(name) && rest.length === 0) return this.#enter(name, tell)
    if (lower === 'cd' || lower === 'chdir') return this.#enter(rest.filter(word => !/^\/d$/i.test(word)).join(' '), tell)
    if (/^(?:cd|chdir)[\\/.]/i.test(name)) return this.#enter(name.slice(name.search(/[\\/.]/)), tell)
    if (lower === 'pushd') return this.#pushd(rest[0] ?? '', tell)
    if (lower === 'popd') {
      this.#places.pop()
      return tell('the run ends where it began', 'dropped')
    }
    if (lower === 'call' && rest[0]?.startsWith(':') === true) return tell('a part of the file called as if it were one of its own: not read', 'lost')
    if (BUILTIN.test(lower)) return tell('no part of a run: put it before or behind the nbtrun line', 'lost')
    if (lower === 'start') return this.#start(started(rest), command, tell)
    return this.#start(lower === 'call' ? { words: rest, folder: undefined, note: '' } : { words, folder: undefined, note: '' }, command, tell)
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
        return { kind: this.#program === undefined ? upon(false) : CODE, does: behind }
      case 'exist':
        return { kind: upon(/^[a-z]:/i.test(operand) || operand.startsWith('\\\\') ? this.#places.locate(operand) !== undefined : undefined), does: behind }
      case 'defined':
        return { kind: upon(this.#variables.has(operand) ? true : undefined), does: behind }
    }
    const compares = /==/.test(what) ? [operand, ...behind] : operand.startsWith('==') && operand.length > 2 ? behind : others
    if (!/errorlevel/i.test(what)) return { kind: SOMETIMES, does: compares }
    const isZero = /^(?:equ|==)$/i.test(operand) ? third === '0' : what.endsWith('==0')
    return { kind: this.#program === undefined ? upon(isZero) : CODE, does: compares }
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
    this.#settled.push({ name, value: this.#argument(text, true), row: this.#rows.length - 1 })
  }

  /** What a variable became is known at the end: put in where it is used, else a variable of the program. */
  #tellVariables(): void {
    for (const { name, value, row } of this.#settled) {
      const found = this.#rows[row]
      const used = this.#variables.used(name)
      const became = used ? 'put in where it is used' : this.#holdsPassword(value) ? 'a password: not handed to the program' : `--env ${name}=${value}`
      if (found !== undefined) this.#rows[row] = { ...found, became, kind: used ? 'dropped' : this.#holdsPassword(value) ? 'lost' : 'taken' }
    }
  }

  #wait(seconds: number, tell: Tell): void {
    if (this.#program !== undefined) {
      this.#graceSeconds += seconds
      return tell(`--grace ${seconds}s`, 'taken')
    }
    if (this.#places.shares.length > 0) return tell('nothing: the share is there when nbtrun says so', 'dropped')
    this.#waitSeconds += seconds
    tell(`a wait for the network: --wait ${this.#waitSeconds}s`, 'dropped')
  }

  #netUse(words: readonly string[], tell: Tell): void {
    const use = netUse(words)
    const { kind, device, unc, user, password } = use
    if (kind === 'delete') {
      const all = device === '*' && unc === undefined
      return tell(all ? 'other mappings stay as they are: nbtrun gives back its own' : 'given back by nbtrun, session and IPC$ too', 'dropped')
    }
    if (kind === 'other' || unc === undefined)
      return tell(device?.startsWith('LPT') === true ? 'a printer: not mapped' : 'no mapping', device === undefined && unc === undefined ? 'dropped' : 'lost')
    const [, server = ''] = unc.split(/\\+/)
    if (!this.#login(server, user, password)) return tell('another user than for the share before: a run logs in once', 'lost')
    const login = [
      ...(user === undefined || user === '' || ownName(user) ? [] : [`--user ${user.replace('\\', '/')}`]),
      ...(asked(password) ? [] : ['the password goes to an auth file']),
    ]
    if (/\\ipc\$$/i.test(unc))
      return tell(['IPC$: connected first and disconnected last by itself', ...login].join('; '), login.length > 0 ? 'taken' : 'dropped')
    const share = this.#places.map(unc, device)
    const folder = share.point === '{mount}' ? '' : `=${share.point} (a folder that is there)`
    const letter = device === undefined || device === '*' ? '' : `; ${device} is ${share.point}`
    tell([`--share ${share.label}${folder}${letter}`, ...login, ...(use.persistent ? ['not kept behind the run'] : [])].join('; '), 'taken')
  }

  /** One login is for all: false where this is another one. */
  #login(server: string, user: string | undefined, password: string | undefined): boolean {
    const who = user === undefined || user === '' || ownName(user) ? undefined : user.replace('\\', '/')
    const secret = asked(password) ? undefined : password
    if (who !== undefined && this.#user !== undefined && who.toLowerCase() !== this.#user.toLowerCase()) return false
    if (secret !== undefined && this.#password !== undefined && secret !== this.#password) return false
    this.#user ??= who
    this.#password ??= secret
    this.#server ??= server
    return true
  }

  #subst([letter = '', path = '']: readonly string[], tell: Tell): void {
    if (/^\/d$/i.test(path) || /^\/d$/i.test(letter)) return tell('given back by itself', 'dropped')
    if (this.#places.substitute(letter, path)) return tell(`${letter.toUpperCase()} is ${this.#places.locate(`${letter}\\`) ?? ''}`, 'taken')
    tell(`${path} is on no share of this file`, 'lost')
  }

  #enter(path: string, tell: Tell): void {
    const entered = this.#places.enter(path)
    if (this.#program !== undefined) return tell('the run ends where it began', 'dropped')
    tell(entered ? `--chdir ${this.#places.folder ?? ''}` : 'a folder of this machine: start nbtrun there', entered ? 'taken' : 'lost')
  }

  #pushd(path: string, tell: Tell): void {
    const mapped = path.startsWith('\\\\') ? this.#places.map(rootOf(path), undefined) : undefined
    const entered = this.#places.push(path)
    if (!entered) return tell('a folder of this machine: start nbtrun there', 'lost')
    tell(`${mapped === undefined ? '' : `--share ${mapped.label}, `}--chdir ${this.#places.folder ?? ''}`, 'taken')
  }

  #start({ words, folder, note }: ReturnType<typeof started>, command: Command, tell: Tell): void {
    const [name, ...rest] = words
    if (name === undefined) return tell('nothing is started', 'dropped')
    if (this.#places.shares.length === 0) return tell('started before anything is mapped: put it before the nbtrun line', 'lost')
    if (this.#program !== undefined) return tell('a second program: a run has one; put both into a script on the share and run that', 'lost')
    if (words.some(word => this.#holdsPassword(word))) return tell('it has the password among its words, where every user could read it', 'lost')
    if (folder !== undefined && !this.#places.enter(folder)) return tell(`${folder} is on no share of this file`, 'lost')
    const program = this.#programOf(name)
    const windows = /\.(?:exe|com|bat|cmd)$/i.test(program.at(-1) ?? '')
    this.#passesWords = rest.includes('%*')
    this.#program = [...program, ...rest.filter(word => word !== '%*').map(word => this.#argument(word, windows))]
    this.#chdir = this.#places.folder
    const redirected = command.redirections.filter(text => !/nul$/i.test(text) && !/&\d$/.test(text))
    const notes = [
      note,
      this.#passesWords ? 'and the words that the script is given' : '',
      redirected.length > 0 ? `put ${redirected.join(' ')} behind the line` : '',
    ]
    tell([`the program: ${this.#program.join(' ')}`, ...notes.filter(text => text !== '')].join('; '), redirected.length > 0 ? 'lost' : 'taken')
  }

  /** On a share: its path there. A path of Windows: by Wine. A bare name: in the folder where it would be looked for first, else in PATH. */
  #programOf(name: string): string[] {
    const file = /\.[a-z0-9]{1,4}$/i.test(name) ? name : `${name}.exe`
    const isPath = /[\\/:]/.test(name)
    const place = isPath || this.#places.folder !== undefined ? this.#places.locate(file) : undefined
    if (place !== undefined) return [place]
    return /^[a-z]:/i.test(name) ? ['wine', file] : [name]
  }

  /** A path on a share among the program's words; Wine has every file of this machine on Z:. */
  #argument(word: string, windows: boolean): string {
    const [, before = '', path = ''] = /^(\/?[\w-]*[:=])??((?:[a-z]:|\\\\).*)$/i.exec(word) ?? []
    const place = path === '' ? undefined : this.#places.locate(path)
    if (place === undefined) return word
    return before + (windows ? `Z:${place.replaceAll('/', '\\')}` : place)
  }

  #holdsPassword(text: string): boolean {
    return this.#secrets.some(secret => text.includes(secret))
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
const asked = (password: string | undefined): boolean => password === undefined || password === '*' || unknownIn(password) !== undefined

function openIn({ unc, user }: NetUse): string | undefined {
  return unknownIn(unc ?? '') ?? (ownName(user ?? '') ? undefined : unknownIn(user ?? ''))
}

/** `%USERNAME%`: who logs in when nobody is named. */
const ownName = (user: string): boolean => /^%USERNAME%$/i.test(user)

/** `\\srv\share` of a longer path. */
const rootOf = (path: string): string => /^\\\\[^\\]+\\[^\\]+/.exec(path)?.[0] ?? path

/** `start ["title"] [/d folder] [/wait] [/b] program ...`. A title is in quotes, which are gone here: a first word with no path and another behind it. */
function started(words: readonly string[]): { words: readonly string[]; folder: string | undefined; note: string } {
  let folder: string | undefined,
    wait = false,
    at = 0
  for (; at < words.length; at++) {
    const word = words[at] ?? ''
    if (/^\/d$/i.test(word)) folder = words[++at]
    else if (/^\/d./i.test(word)) folder = word.slice(2)
    else if (/^\/w(?:ait)?$/i.test(word)) wait = true
    else if (/^\/[a-z]+$/i.test(word) || word === '') continue
    else if (at === 0 && words.length > 1 && !/[\\/:.]/.test(word) && words.slice(1).some(other => /^\/|[\\:.]/.test(other))) continue
    else break
  }
  return { words: words.slice(at), folder, note: wait ? '' : 'nbtrun waits for it' }
}
