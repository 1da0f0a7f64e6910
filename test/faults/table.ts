import { grid } from '../lab/grid.ts'
import { FAULTS, type FaultName, impossible } from './faults.ts'
import { PLACE_LEGEND, PLACES, type PlaceName } from './places.ts'
import type { Verdict } from './round.ts'
import { type FaultWayName, WAYS } from './ways.ts'

/** What became of the tries of a cell, and why the first that was not green was not. */
export interface Counted {
  readonly green: number
  readonly red: number
  readonly voids: number
  readonly why: string
}

export function count(so: Counted = { green: 0, red: 0, voids: 0, why: '' }, { result, why }: Verdict): Counted {
  // what a red one says is worth more than why another was void
  const first = so.why === '' || (result === 'red' && so.red === 0) ? why : so.why
  return { green: so.green + Number(result === 'green'), red: so.red + Number(result === 'red'), voids: so.voids + Number(result === 'void'), why: first }
}

/** `ok`; `RED 2/20`; `void 1/20`. */
export function tell({ green, red, voids }: Counted): string {
  const all = green + red + voids
  if (red > 0) return `RED ${red}/${all}`
  return voids > 0 ? `void ${voids}/${all}` : 'ok'
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
