import { NbtrunError } from '../base/errors.ts'
import { nearest } from './nearest.ts'
import { LANGUAGES } from './quoting.ts'
import { shown } from './values.ts'

interface Template {
  readonly file: string
  readonly language: keyof typeof LANGUAGES
  readonly about: string
  /** What the file has in the user's place: options, then the program. */
  readonly example: readonly string[]
  readonly program: readonly string[]
}

/** The scripts in templates/. Each works as it stands, with an example's words behind its nbtrun; `render` puts the user's there. */
export const TEMPLATES = {
  login: {
    file: 'login.sh',
    language: 'sh',
    about: 'login script: the share is there while one program runs',
    example: ['--share', '//server/app', '--grace', '5s'],
    program: ['app'],
  },
  'metered-launcher': {
    file: 'metered-launcher.sh',
    language: 'sh',
    about: 'launcher of a program licensed by connections; waits for a seat, says when there is none',
    example: ['--share', '//server/cad', '--wait', '10m'],
    program: ['cad.exe'],
  },
  desktop: {
    file: 'launcher.desktop',
    language: 'desktop',
    about: 'the same as a menu entry; says by notify-send what nobody sees on stderr',
    example: ['--share', '//server/cad', '--wait', '2m'],
    program: ['cad.exe'],
  },
  systemd: {
    file: 'program.service',
    language: 'systemd',
    about: 'systemd user unit: a program with its share, tried again while it is full',
    example: ['--share', '//server/app'],
    program: ['app'],
  },
  ansible: {
    file: 'run.yml',
    language: 'sh',
    about: 'Ansible playbook: a program with its share on each host',
    example: ['--share', '//server/app', '--auth-file', '/etc/nbtrun/server.auth'],
    program: ['app'],
  },
  logon: {
    file: 'logon.cmd',
    language: 'cmd',
    about: 'Windows logon script: net use, the program, net use /delete as one run',
    example: ['--share', '//server/app', '--grace', '5s'],
    program: ['app.exe'],
  },
  'logon-powershell': {
    file: 'logon.ps1',
    language: 'powershell',
    about: 'the same for PowerShell',
    example: ['--share', '//server/app', '--grace', '5s'],
    program: ['app.exe'],
  },
  'metered-launcher-cmd': {
    file: 'metered-launcher.cmd',
    language: 'innerCmd',
    about: 'metered-launcher for Windows',
    example: ['--share', '//server/cad', '--wait', '2m'],
    program: ['cad.exe'],
  },
} as const satisfies Record<string, Template>

export type TemplateName = keyof typeof TEMPLATES

/** `login` and `login.sh` name the same. */
export function templateName(word: string): TemplateName {
  const name = (Object.keys(TEMPLATES) as TemplateName[]).find(key => key === word || TEMPLATES[key].file === word)
  if (name === undefined) {
    const meant = nearest(word, Object.keys(TEMPLATES))
    throw new NbtrunError('USAGE', `there is no template ${shown(word)}`, {
      hint: `${meant === undefined ? '' : `did you mean ${meant}? `}nbtrun script --list`,
    })
  }
  return name
}

/** The template's text with `options` and `program` in place of its example's words, each quoted for the script's language. */
export function render(name: TemplateName, text: string, options: readonly string[], program: readonly string[]): string {
  const { language, example, program: exampleProgram } = TEMPLATES[name]
  const { quote, between, newline } = LANGUAGES[language]
  const line = (...words: readonly string[]): string => words.map(quote).join(between)
  const [before, after, more] = text.replace(/\r?\n/g, '\n').split(line(...example, '--', ...exampleProgram))
  if (before === undefined || after === undefined || more !== undefined) throw new NbtrunError('INTERNAL', `template ${name} has not one example`)
  return `${before}${line(...options, '--', ...program)}${after}`.replaceAll('\n', newline)
}
