import { grid } from '../lab/grid.ts'
import { FAULTS, type FaultName, impossible } from './faults.ts'
import { PLACE_LEGEND, PLACES, type PlaceName } from './places.ts'
import type { Verdict } from './round.ts'
import { type FaultWayName, WAYS } from './ways.ts'

/** What became of the rounds of a cell, and why the first that was not green was not. */
export interface Counted {
  /** How many shall say something about it. */
  readonly times: number
  readonly green: number
  readonly red: number
  readonly voids: number
  readonly why: string
}

export function uncounted(times: number): Counted {
  return { times, green: 0, red: 0, voids: 0, why: '' }
}

export function count(so: Counted, { result, why }: Verdict): Counted {
  // what a red one says is worth more than why another was void
  const first = so.why === '' || (result === 'red' && so.red === 0) ? why : so.why
  const and = (one: Verdict['result']): number => Number(result === one)
  return { ...so, green: so.green + and('green'), red: so.red + and('red'), voids: so.voids + and('void'), why: first }
}

/** A round that says nothing is played again, as often as there are others. */
export function isOver({ times, green, red, voids }: Counted): boolean {
  return green + red >= times || voids > times
}

export function isGreen({ times, green, red }: Counted): boolean {
  return red === 0 && green >= times
}

/** `ok`; `RED 2/20`; `void 21/40`. */
export function tell(counted: Counted): string {
  const { green, red, voids } = counted
  const all = green + red + voids
  if (red > 0) return `RED ${red}/${all}`
  return isGreen(counted) ? 'ok' : `void ${voids}/${all}`
}

/** A row for each fault, a column for each place; `–` where there can be no such cell. */
export function table(
  places: readonly PlaceName[],
  faults: readonly FaultName[],
  way: FaultWayName,
  counted: (place: PlaceName, fault: FaultName) => Counted | undefined,
): string {
  const cell = (place: PlaceName, fault: FaultName): string => {
    if (impossible(PLACES[place], FAULTS[fault], WAYS[way]) !== undefined) return '–'
    const found = counted(place, fault)
    return found === undefined ? '' : tell(found)
  }
  return grid([[way, ...places], ...faults.map(fault => [fault, ...places.map(place => cell(place, fault))])])
}

/** What the names of tables, rows and columns mean, and why some cells cannot be. */
export function legend(places: readonly PlaceName[], faults: readonly FaultName[], ways: readonly FaultWayName[]): string {
  const width = Math.max(...[...places, ...faults, ...ways].map(name => name.length))
  const lines = [
    ...ways.map(name => `${name.padEnd(width)}  ${WAYS[name].legend}`),
    '',
    ...places.map(name => `${name.padEnd(width)}  ${PLACE_LEGEND[name]}`),
    '',
    ...faults.map(name => `${name.padEnd(width)}  ${FAULTS[name].legend}`),
  ]
  const without = new Map<string, FaultWayName[]>()
  for (const way of ways)
    for (const fault of faults) {
      const reasons = new Map<string, PlaceName[]>()
      for (const place of places) {
        const reason = impossible(PLACES[place], FAULTS[fault], WAYS[way])
        if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), place])
      }
      for (const [reason, those] of reasons) {
        const line = `–  ${reason}: ${fault} at ${those.join(', ')}`
        without.set(line, [...(without.get(line) ?? []), way])
      }
    }
  if (without.size > 0) lines.push('')
  for (const [line, those] of without) lines.push(those.length === ways.length ? line : `${line} (${those.join(', ')})`)
  return lines.join('\n')
}
