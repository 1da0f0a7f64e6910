import { OPTIONS, ROWS } from './options.ts'
import { takesValue, type Raw } from './words.ts'

/** The options as words again, in the table's order. */
export function ownWords(raw: Raw): string[] {
  return ROWS.flatMap(([name, { alone }]) =>
    (raw[name] ?? []).flatMap(text =>
      !takesValue(name) ? [`--${name}`] : text.startsWith('-') || alone !== undefined ? [`--${name}=${text}`] : [`--${name}`, text],
    ),
  )
}

/** The options, and the program, as a profile. */
export function profileText(raw: Raw, program: readonly string[]): string {
  const lines = ROWS.flatMap(([name]) => {
    const texts = raw[name]
    if (texts === undefined) return []
    const { kind } = OPTIONS[name]
    if (kind === 'flag') return [`${name} = true`]
    if (kind === 'count') return [`${name} = ${texts.length}`]
    return [`${name} = ${kind === 'many' ? list(texts) : quoted(texts[0] ?? '')}`]
  })
  return `${[...lines, ...(program.length === 0 ? [] : [`program = ${list(program)}`])].join('\n')}\n`
}

const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(', ')}]`

/** A basic string of TOML 1.0: what JSON escapes, and DEL. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f')
}
