import type { Argv } from 'yargs'
import { NbtrunError } from '../../base/errors.ts'
import { ownWords } from '../../profile/own-words.ts'
import { resolve } from '../../profile/settings.ts'
import { render, templateName, TEMPLATES } from '../../profile/templates.ts'
import { packageText } from '../package.ts'
import { output } from '../report.ts'
import { save } from '../saving.ts'
import { rawFrom, withOptions } from '../yargs.ts'

/** The command's own words; every option of a run may stand beside them and goes into the script. */
export function options(y: Argv): Argv {
  return withOptions(
    y
      .usage('nbtrun script TEMPLATE [--out FILE] [options of a run] [--program PROGRAM [ARG...] | -- PROGRAM [ARG...]]')
      .positional('template', { type: 'string', describe: `${Object.keys(TEMPLATES).join(', ')}` })
      .option('list', { type: 'boolean', describe: 'list the templates' })
      .option('print', { type: 'boolean', describe: 'write the script to stdout (the default)' })
      .option('out', { type: 'string', nargs: 1, requiresArg: true, describe: 'write the script to a new file' })
      .option('force', { type: 'boolean', describe: 'replace the file of --out' })
      .option('program', { type: 'string', array: true, requiresArg: true, describe: 'the program and its words' }),
    true,
  )
}

/** `rest`: the words behind `--`. */
export function run(given: Readonly<Record<string, unknown>>, rest: readonly string[]): void {
  const { template, list, print, out, force, program } = given
  if (list === true)
    return output(
      Object.entries(TEMPLATES)
        .map(([name, { about }]) => `${name.padEnd(22)}${about}`)
        .join('\n'),
    )
  if (typeof template !== 'string') throw new NbtrunError('USAGE', 'no template is named', { hint: 'nbtrun script --list' })
  if (print === true && out !== undefined) throw new NbtrunError('USAGE', '--print and --out exclude each other')
  if (Array.isArray(out)) throw new NbtrunError('USAGE', `--out is given ${out.length} times`)
  const name = templateName(template)
  const { file, example, program: exampleProgram } = TEMPLATES[name]
  const words = [...(Array.isArray(program) ? program.map(String) : []), ...rest]
  const raw = rawFrom(given)
  const used = raw.share === undefined ? { ...raw, share: [example[1]] } : raw
  resolve(used, {}, process.cwd()) // judges every value now, not at the first login
  const text = packageText(`templates/${file}`)
  const script = render(name, text, Object.keys(raw).length === 0 ? example : ownWords(used), words.length === 0 ? exampleProgram : words)
  if (typeof out === 'string') save(out, script, force === true, /\.(sh|desktop)$/.test(file))
  else output(script)
}
