import { ROWS } from './options.ts'
import { quoteSh } from './quoting.ts'
import { TEMPLATES } from './templates.ts'

/** Shells that `nbtrun completion` writes for. */
export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const
export type Shell = (typeof SHELLS)[number]

type Commands = Readonly<Record<string, { readonly help: string }>>

/** What may follow an option: some words, a file, a folder, anything; nothing where it stands alone. */
type Follows = readonly string[] | 'file' | 'folder' | 'anything' | undefined

interface Completed {
  /** `--wait`, `-w`. */
  readonly names: readonly string[]
  readonly help: string
  readonly follows: Follows
}

/** The options in the table's order, as completions know them. */
function options(): readonly Completed[] {
  const rows = ROWS.map(([name, { kind, short, aliases = [], arg = '', alone, help }]): Completed => {
    const names = [`--${name}`, ...aliases.map(alias => `--${alias}`), ...(short === undefined ? [] : [`-${short}`])]
    return { names, help, follows: kind === 'flag' || kind === 'count' || alone !== undefined ? undefined : followsOf(arg) }
  })
  return [
    ...rows,
    { names: ['--help'], help: 'print the everyday options', follows: ['all'] },
    { names: ['--version'], help: 'print the version', follows: undefined },
  ]
}

function followsOf(arg: string): Follows {
  if (/^[a-z]+(?:\|[a-z]+)+$/.test(arg)) return arg.split('|')
  return arg.startsWith('FILE') ? 'file' : arg === 'DIR' ? 'folder' : 'anything'
}

/** The script that teaches a shell the commands and options of nbtrun; behind the program's name the shell goes on as for any program. */
export function completion(shell: Shell, commands: Commands): string {
  return { bash, zsh, fish, powershell }[shell](commands)
}

const names = (commands: Commands): string => Object.keys(commands).join(' ')
const templates = Object.keys(TEMPLATES).join(' ')

function bash(commands: Commands): string {
  const all = options()
  const cases = all.flatMap(({ names: own, follows }) => {
    if (follows === undefined) return []
    const action =
      follows === 'file'
        ? 'compgen -f -- "$cur"'
        : follows === 'folder'
          ? 'compgen -d -- "$cur"'
          : follows === 'anything'
            ? ':'
            : `compgen -W '${follows.join(' ')}' -- "$cur"`
    return [`    ${own.join('|')}) mapfile -t COMPREPLY < <(${action}); return ;;`]
  })
  const takes = all.flatMap(({ names: own, follows }) => (follows === undefined || own.includes('--help') ? [] : own))
  return `# bash completion of nbtrun: eval "$(nbtrun completion bash)"
_nbtrun() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at known=
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
    --) _nbtrun_program $((at + 1)); return ;;
    ${takes.join('|')}) [[ \${COMP_WORDS[at]} == --share || \${COMP_WORDS[at]} == --profile ]] && known=1; at=$((at + 1)) ;;
    --share=*|--profile=*) known=1 ;;
    -*|=) ;;
    *) if [[ $known ]]; then _nbtrun_program "$at"; return; fi ;;
    esac
  done
  case $prev in
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${all.flatMap(({ names: own }) => own).join(' ')}' -- "$cur")
  elif ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '${names(commands)}' -- "$cur")
  elif [[ \${COMP_WORDS[1]} == script ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${templates}' -- "$cur")
  elif [[ \${COMP_WORDS[1]} == completion ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${SHELLS.join(' ')}' -- "$cur")
  elif [[ $known ]]; then
    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
}
# the program and its words, as on a line of their own
_nbtrun_program() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    mapfile -t COMPREPLY < <(compgen -c -- "\${COMP_WORDS[COMP_CWORD]}")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
  fi
}
complete -o filenames -F _nbtrun nbtrun
`
}

function zsh(commands: Commands): string {
  const plain = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&')
  const specs = options().flatMap(({ names: own, help, follows }) => {
    const then =
      follows === undefined
        ? ''
        : `:value:${follows === 'file' ? '_files' : follows === 'folder' ? '_files -/' : follows === 'anything' ? ' ' : `(${follows.join(' ')})`}`
    return own.map(name => `    ${quoteSh(`*${name}${follows === undefined || !name.startsWith('--') ? '' : '='}[${plain(help)}]${then}`)}`)
  })
  const described = Object.entries(commands).map(([name, { help }]) => `    ${quoteSh(`${name}:${plain(help)}`)}`)
  return `#compdef nbtrun
# zsh completion of nbtrun: a file _nbtrun in $fpath, or: eval "$(nbtrun completion zsh)"
_nbtrun() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then
    _describe command commands
    return
  fi
  case $words[2] in
  script) compadd -- ${templates} ;;
  completion) compadd -- ${SHELLS.join(' ')} ;;
  esac
  _arguments -S \\
${specs.join(' \\\n')} \\
    '*::program:_normal'
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _nbtrun "$@"; else compdef _nbtrun nbtrun; fi
`
}

function fish(commands: Commands): string {
  const lines = options().map(({ names: own, help, follows }) => {
    const long = own.filter(name => name.startsWith('--')).map(name => `-l ${name.slice(2)}`)
    const short = own.filter(name => !name.startsWith('--')).map(name => `-s ${name.slice(1)}`)
    const value =
      follows === undefined
        ? ''
        : follows === 'file'
          ? ' -r -F'
          : follows === 'folder'
            ? " -x -a '(__fish_complete_directories)'"
            : follows === 'anything'
              ? ' -x'
              : ` -x -a '${follows.join(' ')}'`
    return `complete -c nbtrun -n __nbtrun_own ${[...short, ...long].join(' ')}${value} -d ${quoteFish(help)}`
  })
  const first = Object.entries(commands).map(([name, { help }]) => `complete -c nbtrun -n __fish_use_subcommand -f -a ${name} -d ${quoteFish(help)}`)
  return `# fish completion of nbtrun: nbtrun completion fish | source
function __nbtrun_own
  not contains -- -- (commandline -opc)
end
${[...first, ...lines].join('\n')}
complete -c nbtrun -n '__fish_seen_subcommand_from script' -f -a '${templates}'
complete -c nbtrun -n '__fish_seen_subcommand_from completion' -f -a '${SHELLS.join(' ')}'
complete -c nbtrun -n 'contains -- -- (commandline -opc)' -a '(__fish_complete_subcommand --commandline)'
`
}

const quoteFish = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`

function powershell(commands: Commands): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`
  const rows = options().flatMap(({ names: own, help }) => own.map(name => `    @(${quote(name)}, ${quote(help)})`))
  const first = Object.entries(commands).map(([name, { help }]) => `    @(${quote(name)}, ${quote(help)})`)
  const values = options().flatMap(({ names: own, follows }) =>
    typeof follows === 'object' ? own.map(name => `    ${quote(name)} = ${follows.map(quote).join(', ')}`) : [],
  )
  return `# PowerShell completion of nbtrun: nbtrun completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName nbtrun -ScriptBlock {
  param($word, $ast, $at)
  $words = @($ast.CommandElements | ForEach-Object { $_.ToString() })
  if ($words -contains '--') { return }
  $values = @{
${values.join('\n')}
  }
  $before = if ($word) { $words[-2] } else { $words[-1] }
  if ($values.ContainsKey($before)) {
    $values[$before] | Where-Object { $_ -like "$word*" }
    return
  }
  $commands = @(
${first.join(',\n')}
  )
  $options = @(
${rows.join(',\n')}
  )
  $rows = if ($word -notlike '-*' -and $words.Count -le 2) { $commands } else { $options }
  $rows | Where-Object { $_[0] -clike "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterName', $_[1])
  }
}
`
}
