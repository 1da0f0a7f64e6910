/** `start ["title"] [/d folder] [/wait] [/b] program ...`. A title is in quotes, which are gone here: a first word with no path and another behind it. */
export function started(words: readonly string[]): { words: readonly string[]; folder: string | undefined; note: string } {
  let folder: string | undefined,
    wait = false,
    at = 0
  for (; at < words.length; at++) {
    const word = words[at] ?? ''
    if (/^\/d$/i.test(word)) folder = words[++at]
    else if (/^\/d./i.test(word)) folder = word.slice(2)
    else if (/^\/w(?:ait)?$/i.test(word)) wait = true
    else if (/^\/[a-z]+$/i.test(word) || word === '') continue
    else if (at === 0 && words.length > 1 && !/[\\/:.]/.test(word) && words.slice(1).some(other => /^\/|[\\:.]/.test(other))) continue
    else break
  }
  return { words: words.slice(at), folder, note: wait ? '' : 'nbtrun waits for it' }
}
