import { Helper } from './fuse/helper.ts'
import { findTools } from './fuse/tools.ts'

/** By what those are known who must not outlive nbtrun: they see one of these mounts of this run, or, without any, have its id in their environment. */
export type Members = { readonly runId: string; readonly devices?: readonly string[] }

/** Mounts that nobody but us would take away, and the words that do; the path follows. */
export interface Mounts {
  readonly paths: readonly string[]
  readonly detachWords: readonly string[]
}

/**
 * $1 grep, $2 sleep, $3 seconds; then for each mount its path, and the same as proc_pid_mountinfo(5) writes it. It is told the words for grep as the first line
 * of its control socket, and waits for the end of that. Told `done` before, it ends; else nbtrun is dead. Then it detaches what is mounted by nbtrun at each
 * point, and after $3 kills those who still use it. Told `detach`, it does the first alone.
 *
 * Those are who was there before nbtrun died, and whoever is found beside one of them. A mount is known by its device number and by the run's id in its source:
 * the number alone is another mount's as soon as the last who saw this one is gone, and that may be one that everybody sees. A process is known by its number and its start, fields 1 and 22 of proc_pid_stat(5), and lives while one of its threads does.
 */
const GUARD = `
exec 2>/dev/null
grep=$1 sleep=$2 seconds=$3; shift 3
read -r option files pattern <&3 || option=
[ "$option" != done ] || exit
word=
read -r word <&3
[ "$word" != done ] || exit
exec 3<&-
while [ $# -gt 0 ]; do
  last=
  while read -r id parent device root at rest; do [ "$at" = "$2" ] && last=$rest; done </proc/self/mountinfo
  case $last in *' - fuse.nbtrun '*) DETACH "$1" ;; esac
  shift 2
done
[ -n "$option" ] && [ "$word" != detach ] || exit
started() {
  start= began=
  for task in "/proc/$1" "/proc/$1"/task/*; do
    stat=
    while read -r line; do stat=$stat$line; done <"$task/stat" || :
    set -- "$1" \${stat##*) }
    began=\${began:-\${21}}
    case $2 in Z | X | '') ;; *) start=$began; return ;; esac
  done
}
"$sleep" "$seconds" & timer=$!
started $timer
died=$start known= wait=0.1
while :; do
  found= later= there=
  for file in $("$grep" -ls $option -e "$pattern" /proc/[0-9]*/task/[0-9]*/$files); do
    pid=\${file#/proc/} pid=\${pid%%/*}
    case "$found$later " in *" $pid:"*) continue ;; esac
    started "$pid"
    [ -n "$start" ] || continue
    case "$known " in
      *" $pid:$start "*) there=1 found="$found $pid:$start" ;;
      *) if [ "$start" -le "$died" ]; then there=1 found="$found $pid:$start"; else later="$later $pid:$start"; fi ;;
    esac
  done
  [ -z "$there" ] || found=$found$later
  known=$found
  [ -n "$known" ] || break
  started $timer
  [ -n "$start" ] || for member in $known; do wait=1; kill -KILL "\${member%:*}"; done
  "$sleep" $wait
done
kill $timer
`

/** A process that does what must be done when nbtrun cannot: a shell that waits. */
export class Guardian {
  readonly #helper: Helper

  private constructor(helper: Helper) {
    this.#helper = helper
  }

  /** From now on the mounts are taken away should nbtrun be killed. */
  static async start(killAfterMs: number, { paths, detachWords }: Mounts = { paths: [], detachWords: [':'] }): Promise<Guardian> {
    const { sh, grep, sleep } = findTools('the guardian of a run', ['sh', 'grep', 'sleep'])
    const detach = detachWords.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const points = paths.flatMap(path => [path, escaped(path)])
    return new Guardian(await Helper.start([sh, '-c', GUARD.replace('DETACH', () => detach), 'nbtrun', grep, sleep, String(killAfterMs / 1000), ...points]))
  }

  /** From now on these are killed, too. */
  watch(members: Members): void {
    const { runId, devices } = members
    if (devices === undefined) this.#helper.say(`-z environ ^NBTRUN_RUN_ID=${runId}$`)
    else this.#helper.say(`-E mountinfo ^[0-9]+ [0-9]+ (${devices.join('|')}) .* - fuse[.]nbtrun [^ ]*@${runId} `)
  }

  /** Takes the mounts away where we cannot start a tool that does; then nothing is left to guard. Resolves when it is gone. */
  detach(): Promise<void> {
    this.#helper.say('detach')
    return this.#helper.leave()
  }

  /** Nothing is left to guard. Resolves when it is gone. */
  leave(): Promise<void> {
    this.#helper.say('done')
    return this.#helper.leave()
  }
}

function escaped(path: string): string {
  return path.replace(/[ \t\n\\]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
