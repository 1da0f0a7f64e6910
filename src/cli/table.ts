import { shown } from '../profile/values.ts'
import { columns } from './wrap.ts'

type Cell = string | number

/** Columns for people, two blanks between, numbers to the right. What a server says is shown without its control characters. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map(row => row.map(cell => (cell === '' ? '' : shown(String(cell)))))
  const widths = head.map((title, i) => Math.max(title.length, ...texts.map(row => columns(row[i] ?? ''))))
  const isNumber = head.map((_, i) => rows.length > 0 && rows.every(row => typeof row[i] === 'number' || row[i] === '?'))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const blank = ' '.repeat((widths[i] ?? 0) - columns(cell))
        return isNumber[i] === true ? blank + cell : cell + blank
      })
      .join('  ')
      .trimEnd()
  return [line(head), ...texts.map(line)].join('\n')
}

/** A time as old consoles show it: `5 s`, `12 min`, `3 h 5 min`; `?` where the server does not say. */
export function lasting(seconds: number | null): string {
  if (seconds === null) return '?'
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
