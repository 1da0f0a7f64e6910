import { isIPv6 } from 'node:net'
import { NbtrunError } from '../base/errors.ts'
import { PASSWORD_WAYS } from './passwords.ts'
import { must, shown } from './values.ts'

/** A share as the user named it. */
export interface Share {
  /** A name or an address; IPv6 without its brackets. */
  readonly host: string
  readonly share: string
  /** The folder below the share, backslashes between; empty for the share's root. */
  readonly folder: string
  /** The folder where it shall be seen. */
  readonly point: string | undefined
  /** The drive letter, `P:`, under which Windows programs shall see it; on Windows `*` for a free one. */
  readonly drive: string | undefined
  /** `//srv/app/folder`, for people. */
  readonly label: string
}

/** `//srv/app`, `\\srv\app` or `smb://srv/app`, with or without a folder below, with or without `=<point>`. */
export function share(text: string): Share {
  refuseLogin(text)
  refuseShellDamage(text)
  const { target, point: at } = cutPoint(text)
  const [drive, point] = at !== undefined && /^(?:[A-Z]:|\*)$/.test(at) ? [at, undefined] : [undefined, at]
  const url = /^smb:\/\//i.test(target)
  const [host = '', name = '', ...folders] = target
    .replace(/^smb:/i, '')
    .slice(2)
    .split(/[/\\]+/)
    .map(part => (url ? decoded(part, text) : part))
  if (host === '' || name === '') throw must('//server/share', text)
  if (name.toUpperCase() === 'IPC$') throw new NbtrunError('USAGE', `names ${shown(target)}, which holds no files to map`)
  // [MS-FSCC] 2.1.5, 2.1.6
  if (!/^[^"/\\[\]:|<>+=;,*?\p{Cc}]{1,80}$/u.test(name)) throw must('//server/share, or //server/share=/absolute/folder', text)
  const folder = folders.filter(part => part !== '')
  if (!folder.every(part => part !== '.' && part !== '..' && /^[^"/\\:|<>*?\p{Cc}]{1,255}$/u.test(part))) throw must('//server/share/folder', text)
  const server = hostName(host, text)
  return { host: server, share: name, folder: folder.join('\\'), point, drive, label: ['/', host, name, ...folder].join('/') }
}

/** `srv`, `app`, folders, as UNC paths name them. An IPv6 address has a name that they can take. */
export function uncParts({ host, share: name, folder }: Share): readonly string[] {
  const server = host.includes(':') ? `${host.replaceAll(':', '-').replace('%', 's')}.ipv6-literal.net` : host
  return [server, name, ...(folder === '' ? [] : folder.split('\\'))]
}

/** `\\srv\app\folder` */
export function uncOf(share: Share): string {
  return `\\\\${uncParts(share).join('\\')}`
}

/** A server, or a share of it, as commands take it: `//srv`, `//srv/app`. */
export function target(text: string): Omit<Target, 'folder'> {
  const { folder, ...rest } = anyTarget(text)
  if (folder !== '') throw must('//server or //server/share', text)
  return rest
}

/** A server, a share of it or a folder of that. */
export interface Target {
  readonly host: string
  readonly share: string | undefined
  /** As in `Share`; empty where none is named. */
  readonly folder: string
  /** `//srv`, `//srv/app`, for people: without the folder. */
  readonly label: string
}

/** The same with a folder, as a run takes it; the point that a run has is passed over. */
export function anyTarget(text: string): Target {
  const trimmed = text.replace(/[/\\]+$/, '')
  if (/^[\w.-]+$/.test(trimmed)) throw new NbtrunError('USAGE', `must be //server or //server/share, not ${trimmed}`, { hint: `write //${trimmed}` })
  const isHost = /^(?:smb:)?(?:\/\/|\\\\)[^/\\]+$/i.test(trimmed)
  const { host, share: name, folder, label } = share(isHost ? `${trimmed}/x` : trimmed)
  if (isHost) return { host, share: undefined, folder: '', label: label.slice(0, -2) }
  return { host, share: name, folder, label: folder === '' ? label : label.slice(0, -folder.length - 1) }
}

/** The point stands after the last `=` that comes before an absolute path or a drive letter. */
function cutPoint(text: string): { target: string; point: string | undefined } {
  const [, target, point] = /^(.*)=(\/.*|\*|[A-Za-z]:(?:[/\\].*)?)$/s.exec(text) ?? []
  if (target === undefined || point === undefined) return { target: text, point: undefined }
  if (/\p{Cc}/u.test(point)) throw must('//server/share=/absolute/folder', text)
  return { target, point: /^[a-z]:$/.test(point) ? point.toUpperCase() : point }
}

function hostName(host: string, text: string): string {
  const [, inBrackets] = /^\[(.*)\]$/.exec(host) ?? []
  if (inBrackets !== undefined) {
    if (!isIPv6(inBrackets)) throw must('//server/share with an IPv6 address in the brackets', text)
    return inBrackets
  }
  if (isIPv6(host)) throw new NbtrunError('USAGE', 'has an IPv6 address without brackets', { hint: `write //[${host}]/share` })
  if (host.includes(':')) throw new NbtrunError('USAGE', 'has a colon in the server', { hint: 'a port goes into --port' })
  if (!/^[^\s"[\]|<>+=;,*?\p{Cc}]{1,255}$/u.test(host)) throw must('//server/share', text)
  return host
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw must('smb://server/share with %25 for a percent sign', text)
  }
}

/** A login in a share would stand in `ps` and in the history of the shell; the text is not repeated here either. */
function refuseLogin(text: string): void {
  const target = text.replace(/\[[^\]]*\]/g, '[]').replace(/=[A-Za-z]:[/\\].*$/s, '')
  const rest = target.replace(/^smb:/i, '')
  if (/:.*@/s.test(rest))
    throw new NbtrunError('PASSWORD_IN_ARGV', 'has a password in it, where every user of this machine can read it', { hint: PASSWORD_WAYS })
  if (/^[/\\]*[^/\\]*@/.test(rest)) throw new NbtrunError('USAGE', 'has a user in it', { hint: 'write //server/share and give the user with --user' })
}

/** What shells do to a share that was not quoted for them. */
function refuseShellDamage(text: string): void {
  const damaged = (what: string, hint: string): NbtrunError => new NbtrunError('SHELL_ATE_SHARE', `${what}: ${shown(text)}`, { hint })
  if (text.includes('"')) throw damaged('has a quote in it', 'drop the backslash before the closing quote')
  if (/^\\[^\\]*$/.test(text)) throw damaged('lost its backslashes to the shell', 'put it into single quotes, or write //server/share')
  if (/^\\[^\\]/.test(text))
    throw damaged('lost a backslash to the shell', `put it into single quotes, or write /${text.replace(/=.*$/s, '').replaceAll('\\', '/')}`)
  if (/^\/[^/]/.test(text)) throw damaged('begins with one slash', `write it with two: /${text}`)
  if (/^[A-Za-z]:[/\\]/.test(text)) throw damaged('is a local folder', 'write //server/share; Git Bash makes such a folder of /server/share')
  if (!/^(?:\/\/|\\\\|smb:\/\/)/i.test(text)) throw must('//server/share', text)
}
