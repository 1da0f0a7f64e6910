import type { Argv } from 'yargs'
import { envName, ROWS } from '../../profile/options.ts'
import { profileSchema } from '../../profile/schema.ts'
import { settle, sourcesOf, type Given } from '../../profile/settings.ts'
import { spell } from '../../base/time.ts'
import { profilesOf } from '../profiles.ts'
import { output } from '../report.ts'
import { table } from '../table.ts'
import { rawFrom, withOptions } from '../yargs.ts'

export function options(y: Argv): Argv {
  return withOptions(
    y
      .usage('nbtrun config [--profile NAME] [options of a run] [--json | --schema]')
      .option('json', { type: 'boolean', describe: 'for programs' })
      .option('schema', { type: 'boolean', describe: 'the JSON schema of profiles, for editors' }),
    true,
  )
}

/** What a run with these words would do, and where each value comes from. */
export async function run(given: Readonly<Record<string, unknown>>): Promise<void> {
  if (given['schema'] === true) return output(JSON.stringify(profileSchema(), undefined, 2))
  const raw = rawFrom(given)
  const { layers, program, files } = await profilesOf(raw)
  settle(raw, process.env, layers) // judges every value
  const sources = sourcesOf(raw, process.env, layers)
  const rows = ROWS.flatMap(([name, { kind, arg, fallback }]) => {
    const source = sources.get(name)
    if (source !== undefined)
      return [{ name, values: source.from === 'flag' && (kind === 'flag' || kind === 'count') ? ['yes'] : source.texts, from: fromOf(source, name) }]
    if (typeof fallback !== 'number' && typeof fallback !== 'string') return []
    return [{ name, values: [typeof fallback === 'number' && arg === 'TIME' ? spell(fallback) : String(fallback)], from: 'default' }]
  })
  if (given['json'] === true) return output(JSON.stringify({ files, options: rows, ...(program === undefined ? {} : { program }) }))
  const shown = rows.map(({ name, values, from }) => [name, values.join(', '), from])
  if (program !== undefined) shown.push(['program', program.join(' '), 'profile'])
  output(table(['OPTION', 'VALUE', 'FROM'], shown))
}

function fromOf({ from, label }: Given, name: string): string {
  const file = label.slice(0, label.lastIndexOf(': '))
  return { flag: `--${name}`, env: envName(name), profile: file, system: file, locked: `${file} (locked)` }[from]
}
