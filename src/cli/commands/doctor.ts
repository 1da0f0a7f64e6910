import type { Argv } from 'yargs'
import { spell } from '../../base/time.ts'
import { credentials } from '../../profile/credentials.ts'
import { settle } from '../../profile/settings.ts'
import { anyTarget } from '../../profile/share.ts'
import { shown } from '../../profile/values.ts'
import { Control } from '../../run/control.ts'
import { examine, type Row } from '../../run/doctor/doctor.ts'
import type { Group } from '../../run/doctor/check.ts'
import { packageVersion } from '../package.ts'
import { profilesOf } from '../profiles.ts'
import { output } from '../report.ts'
import { named, reachOf, type Given } from '../server.ts'
import { counted } from '../table.ts'
import { columns } from '../wrap.ts'
import { rawFrom, withReach } from '../yargs.ts'

export function options(y: Argv): Argv {
  return withReach(
    y
      .usage('nbtrun doctor [//SERVER[/SHARE[/FOLDER]]] [--json] [options]')
      .positional('target', { type: 'string', describe: '//SERVER, by name or by address, a share of it, or a folder of that; without it this machine alone' })
      .option('json', { type: 'boolean', describe: 'for programs' }),
  )
}

/** Exits 0 where nothing is wrong, 1 where something was found. */
export async function run(given: Given): Promise<void> {
  const raw = reachOf(rawFrom(given))
  const settings = settle(raw, process.env, (await profilesOf(raw)).layers)
  const target = given['target'] === undefined ? undefined : named(withSlashes(given['target']), anyTarget)
  const json = given['json'] === true
  const control = new Control(0)
  const began = performance.now()
  const about = target === undefined ? null : [target.label, ...target.folder.split('\\').filter(part => part !== '')].join('/')
  const people = new People(about ?? '')
  try {
    const tell = (row: Row): void => (json ? undefined : people.tell(row))
    const rows = await examine({ settings, env: process.env, cwd: process.cwd(), target, ask: credentials, signal: control.cancelled, tell })
    const findings = rows.filter(({ state }) => state === 'finding').length
    const ms = Math.round(performance.now() - began)
    if (json) output(JSON.stringify({ doctor: 1, version: packageVersion(), target: about, healthy: findings === 0, ms, rows }))
    else people.end(findings, ms)
    process.exitCode = findings === 0 ? 0 : 1
  } finally {
    control.stop()
  }
}

/** A bare name or address is a server. */
function withSlashes(target: unknown): unknown {
  return typeof target === 'string' && /^[^/\\:]+$/.test(target) ? `//${target}` : target
}

const HEADINGS: Readonly<Record<Group, (target: string) => string>> = {
  host: () => 'This machine',
  names: target => `Finding ${target}`,
  ports: () => 'Ports',
  server: () => 'What the server offers, without a login',
  share: target => `Using ${target}`,
}

const MARKS: Readonly<Record<Row['state'], string>> = { ok: 'ok', note: 'note', finding: 'WRONG', skipped: '-' }

/** The table for people, row by row as it comes; what is skipped for one reason is one row. */
class People {
  readonly #target: string
  #group: Group | undefined
  #skipped: Row[] = []

  constructor(target: string) {
    this.#target = target
  }

  tell(row: Row): void {
    if (row.group !== this.#group || row.state !== 'skipped' || row.text !== this.#skipped[0]?.text) this.#flush()
    if (row.group !== this.#group) output(`${this.#group === undefined ? '' : '\n'}${HEADINGS[row.group](this.#target)}`)
    this.#group = row.group
    if (row.state === 'skipped') this.#skipped.push(row)
    else for (const line of lines(row)) output(line)
  }

  end(findings: number, ms: number): void {
    this.#flush()
    output(`\n${findings === 0 ? 'nothing is wrong' : counted(findings, 'finding')}, after ${spell(ms)}`)
  }

  #flush(): void {
    const [first] = this.#skipped
    if (first !== undefined) output(`  ${pad(MARKS.skipped, MARK)}  ${this.#skipped.map(({ check }) => check).join(', ')}: ${shown(first.text)}`)
    this.#skipped = []
  }
}

const MARK = 5
const CHECK = 12
const TIME = 7

/** `  ok     dns            1.2 ms  198.18.0.10`, and below it the cure. */
function lines({ check, state, text, ms, code, cure }: Row): string[] {
  const time = ms === null ? '' : spell(ms)
  const line = `  ${pad(MARKS[state], MARK)}  ${pad(check, CHECK)} ${time.padStart(TIME)}  ${shown(text)}${code === null ? '' : ` [${code}]`}`
  return cure === null ? [line] : [line, `${' '.repeat(MARK + 4)}cure: ${shown(cure)}`]
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - columns(text)))
}
