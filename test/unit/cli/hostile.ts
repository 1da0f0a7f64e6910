/** Words that some language reads as something else than themselves. */
export const HOSTILE: readonly string[] = [
  'app.exe',
  '',
  ' ',
  'a b',
  '  a  ',
  "it's",
  "''",
  '"',
  '"q"',
  'a "b" c',
  'x" & y',
  '&',
  'a & b',
  '; touch pwned',
  ';',
  '$HOME',
  '${HOME}',
  '$$',
  '$(touch pwned)',
  '`touch pwned`',
  '\\',
  '\\\\',
  'C:\\dir\\',
  'a\\nb',
  '\\x41',
  '\\"',
  '*',
  '~',
  '-x',
  '--',
  '!PATH!',
  '#',
  '(',
  ')',
  '^',
  'a^b c',
  '|',
  '>x',
  '<x',
  'ü ☃',
  '--share',
  '{mount}',
  '{{ lookup("env", "HOME") }}',
  '{% raw %}',
  '- item',
  'key: value',
  '&anchor',
  'yes',
  '007',
  '1e3',
  '‘so’',
]

/** Percent signs apart: what batch files do with them Wine's cmd does not always do alike. */
export const PERCENT: readonly string[] = ['%PATH%', '%', '%%', '100% & 5%', '%h', '%F', '%n %%n']

const PIECES = ['a', 'Z', '0', ...' \'"`$%&|;<>()[]{}\\^!#~*?=,:-/@+_.'.split(''), 'ü', '%h', '$x', '\\n', '""', "''", '  ']

/** A word of random pieces; the same for the same seed. */
export function randomWords(seed: number, count: number): string[] {
  let state = seed
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  return Array.from({ length: count }, () => Array.from({ length: 1 + next(8) }, () => PIECES[next(PIECES.length)] ?? '').join(''))
}
