export const WIDTH = 80

/** Columns on a terminal: two for wide characters of East Asia and emoji, none for marks that sit on others. Unicode Annex 11. */
export function columns(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let sum = 0
  for (const { segment } of (graphemes ??= new Intl.Segmenter('en', { granularity: 'grapheme' })).segment(text))
    sum += WIDE.test(segment) ? 2 : NONE.test(segment) ? 0 : 1
  return sum
}

/** Made when the first text needs it: it costs `--help` 0.8 of a bare Node's start. */
let graphemes: Intl.Segmenter | undefined
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const NONE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

/** At most `width` columns a line, broken between words; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && columns(line) + 1 + columns(word) > width) {
      lines.push(line)
      line = word
    } else line += line === '' ? word : ` ${word}`
  }
  return [...lines, line]
}
