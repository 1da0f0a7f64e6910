import { CODES } from '../base/errors.ts'
import { ROWS, envName } from '../profile/options.ts'
import { COMMANDS } from './commands.ts'
import { EXAMPLES } from './help.ts'

/** The manual page nbtrun(1), in the macros of man(7). From the tables that --help is made of. */
export function manPage(version: string): string {
  const options = ROWS.map(([name, { short, arg, alone, aliases = [], help }]) => {
    const value = arg === undefined ? '' : alone === undefined ? ` \\fI${text(arg)}\\fR` : `[=\\fI${text(arg)}\\fR]`
    const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`, ...aliases.map(alias => `--${alias}`)]
    return `.TP\n${names.map(each => `\\fB${text(each)}\\fR`).join(', ')}${value}\n${text(help)} (\\fB${envName(name)}\\fR)`
  })
  const commands = Object.values(COMMANDS).map(({ usage, help }) => `.TP\n\\fBnbtrun ${text(usage)}\\fR\n${text(help)}`)
  const codes = Object.entries<{ exit: number }>(CODES).filter(([, { exit }]) => exit !== 125)
  return `.\\" Generated from the tables of options and commands by scripts/docs.ts.
.TH NBTRUN 1 "" "nbtrun ${version}" "User Commands"
.SH NAME
nbtrun \\- run a program with a network share that exists only while it runs
.SH SYNOPSIS
.B nbtrun
[\\fIoptions\\fR] \\fB\\-\\-share\\fR \\fI//HOST/SHARE\\fR[=\\fIDIR\\fR] [\\fB\\-\\-share\\fR ...] [\\fB\\-\\-\\fR] \\fIPROGRAM\\fR [\\fIARG\\fR...]
.br
.B nbtrun
\\fICOMMAND\\fR ...
.SH DESCRIPTION
Maps the share for PROGRAM, waits for it and all it started, then gives mapping, share, session and connection back.
Options end at \\-\\- or, after \\-\\-share or \\-\\-profile, at the first word that is none.
TIME is seconds, or has a unit: 250ms, 2.5s, 10m, 1h.
.SH EXAMPLES
${EXAMPLES.map(([line, about]) => `.TP\n\\fB${text(line)}\\fR\n${text(about)}`).join('\n')}
.SH OPTIONS
${options.join('\n')}
.SH COMMANDS
${commands.join('\n')}
.SH EXIT STATUS
That of PROGRAM. Else:
${codes.map(([code, { exit }]) => `.TP\n.B ${exit}\n${text(code)}`).join('\n')}
.TP
.B 125
nbtrun failed, before or outside PROGRAM
.SH FILES
.TP
.I ~/.config/nbtrun/NAME.toml
a profile, for \\-\\-profile NAME
.TP
.I /etc/nbtrun/config.toml
what counts for every run; its [locked] keys cannot be changed
.SH SEE ALSO
.BR smbclient (1),
.BR mount.cifs (8),
.BR timeout (1)
`
}

/** Nothing of it is a request, and its dashes are those of a command line. */
function text(plain: string): string {
  return plain.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&')
}
