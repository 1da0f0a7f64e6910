import { netUse } from './netuse.ts'
import { Places } from './places.ts'
import type { started } from './start.ts'
import type { Command } from './syntax.ts'
import { unknownIn } from './variables.ts'

export type Kind = 'taken' | 'dropped' | 'lost'
/** Says what became of a command. */
export type Tell = (became: string, kind: Kind) => void

/** The run as it grows out of the file, command by command. */
export class Plan {
  readonly places = new Places()
  readonly #secrets: readonly string[]
  user: string | undefined
  password: string | undefined
  server: string | undefined
  program: string[] | undefined
  passesWords = false
  chdir: string | undefined
  waitSeconds = 0
  graceSeconds = 0

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets
  }

  wait(seconds: number, tell: Tell): void {
    if (this.program !== undefined) {
      this.graceSeconds += seconds
      return tell(`--grace ${seconds}s`, 'taken')
    }
    if (this.places.shares.length > 0) return tell('nothing: the share is there when nbtrun says so', 'dropped')
    this.waitSeconds += seconds
    tell(`a wait for the network: --wait ${this.waitSeconds}s`, 'dropped')
  }

  netUse(words: readonly string[], tell: Tell): void {
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
    const share = this.places.map(unc, device)
    const folder = share.point === '{mount}' ? '' : `=${share.point} (a folder that is there)`
    const letter = device === undefined || device === '*' ? '' : `; ${device} is ${share.point}`
    tell([`--share ${share.label}${folder}${letter}`, ...login, ...(use.persistent ? ['not kept behind the run'] : [])].join('; '), 'taken')
  }

  /** One login is for all: false where this is another one. */
  #login(server: string, user: string | undefined, password: string | undefined): boolean {
    const who = user === undefined || user === '' || ownName(user) ? undefined : user.replace('\\', '/')
    const secret = asked(password) ? undefined : password
    if (who !== undefined && this.user !== undefined && who.toLowerCase() !== this.user.toLowerCase()) return false
    if (secret !== undefined && this.password !== undefined && secret !== this.password) return false
    this.user ??= who
    this.password ??= secret
    this.server ??= server
    return true
  }

  subst([letter = '', path = '']: readonly string[], tell: Tell): void {
    if (/^\/d$/i.test(path) || /^\/d$/i.test(letter)) return tell('given back by itself', 'dropped')
    if (this.places.substitute(letter, path)) return tell(`${letter.toUpperCase()} is ${this.places.locate(`${letter}\\`) ?? ''}`, 'taken')
    tell(`${path} is on no share of this file`, 'lost')
  }

  enter(path: string, tell: Tell): void {
    const entered = this.places.enter(path)
    if (this.program !== undefined) return tell('the run ends where it began', 'dropped')
    tell(entered ? `--chdir ${this.places.folder ?? ''}` : 'a folder of this machine: start nbtrun there', entered ? 'taken' : 'lost')
  }

  pushd(path: string, tell: Tell): void {
    const mapped = path.startsWith('\\\\') ? this.places.map(rootOf(path), undefined) : undefined
    const entered = this.places.push(path)
    if (!entered) return tell('a folder of this machine: start nbtrun there', 'lost')
    tell(`${mapped === undefined ? '' : `--share ${mapped.label}, `}--chdir ${this.places.folder ?? ''}`, 'taken')
  }

  start({ words, folder, note }: ReturnType<typeof started>, command: Command, tell: Tell): void {
    const [name, ...rest] = words
    if (name === undefined) return tell('nothing is started', 'dropped')
    if (this.places.shares.length === 0) return tell('started before anything is mapped: put it before the nbtrun line', 'lost')
    if (this.program !== undefined) return tell('a second program: a run has one; put both into a script on the share and run that', 'lost')
    if (rest.some(word => this.holdsPassword(word))) return tell('it has the password among its words, where every user could read it', 'lost')
    if (folder !== undefined && !this.places.enter(folder)) return tell(`${folder} is on no share of this file`, 'lost')
    const program = this.#programOf(name)
    const windows = /\.(?:exe|com|bat|cmd)$/i.test(program.at(-1) ?? '')
    this.passesWords = rest.includes('%*')
    this.program = [...program, ...rest.filter(word => word !== '%*').map(word => this.argument(word, windows ? 'drive' : 'folder'))]
    this.chdir = this.places.folder
    const redirected = command.redirections.filter(text => !/nul$/i.test(text) && !/&\d$/.test(text))
    const notes = [
      note,
      this.passesWords ? 'and the words that the script is given' : '',
      redirected.length > 0 ? `put ${redirected.join(' ')} behind the line` : '',
    ]
    tell([`the program: ${this.program.join(' ')}`, ...notes.filter(text => text !== '')].join('; '), redirected.length > 0 ? 'lost' : 'taken')
  }

  /** On a share: its path there. A path of Windows: by Wine. A bare name: in the folder where it would be looked for first, else in PATH. */
  #programOf(name: string): string[] {
    const file = /\.[a-z0-9]{1,4}$/i.test(name) ? name : `${name}.exe`
    const isPath = /[\\/:]/.test(name)
    const place = isPath || this.places.folder !== undefined ? this.places.locate(file) : undefined
    if (place !== undefined) return [place]
    return /^[a-z]:/i.test(name) ? ['wine', file] : [name]
  }

  /**
   * A path on a share among the program's words. For a Windows program the first share is a drive; other folders, and those for a program that may not be one for
   * Windows, are where Wine has every file of this machine.
   */
  argument(word: string, as: 'folder' | 'drive' | 'either'): string {
    const [, before = '', path = ''] = /^(\/?[\w-]*[:=])??((?:[a-z]:|\\\\).*)$/i.exec(word) ?? []
    const place = path === '' ? undefined : this.places.locate(path)
    if (place === undefined) return word
    if (as === 'folder') return before + place
    const below = place.replaceAll('/', '\\')
    if (as === 'either' || !below.startsWith('{mount}')) return `${before}Z:${below}`
    return `${before}{drive}${below.slice('{mount}'.length) || '\\'}`
  }

  /** A short password may be a part of any word. */
  holdsPassword(text: string): boolean {
    return this.#secrets.some(secret => (secret.length > 5 ? text.includes(secret) : text.split(/[\s=:,%/]/).includes(secret)))
  }
}

const asked = (password: string | undefined): boolean => password === undefined || password === '*' || unknownIn(password) !== undefined

/** `%USERNAME%`: who logs in when nobody is named. */
export const ownName = (user: string): boolean => /^%USERNAME%$/i.test(user)

/** `\\srv\share` of a longer path. */
const rootOf = (path: string): string => /^\\\\[^\\]+\\[^\\]+/.exec(path)?.[0] ?? path
