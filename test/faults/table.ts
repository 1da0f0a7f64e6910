import { grid } from '../lab/grid.ts'
import { FAULTS, type FaultName, impossible } from './faults.ts'
import { PLACE_LEGEND, PLACES, type PlaceName } from './places.ts'
import type { Verdict } from './round.ts'

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
  counted: (place: PlaceName, fault: FaultName) => Counted | undefined,
  title = '',
): string {
  const cell = (place: PlaceName, fault: FaultName): string => {
    if (impossible(PLACES[place], FAULTS[fault]) !== undefined) return '–'
    const found = counted(place, fault)
    return found === undefined ? '' : tell(found)
  }
  return grid([[title, ...places], ...faults.map(fault => [fault, ...places.map(place => cell(place, fault))])])
}

/** What the names of rows and columns mean, and why some cells cannot be. */
export function legend(places: readonly PlaceName[], faults: readonly FaultName[]): string {
  const width = Math.max(...[...places, ...faults].map(name => name.length))
  const lines = [
    ...places.map(name => `${name.padEnd(width)}  ${PLACE_LEGEND[name]}`),
    '',
    ...faults.map(name => `${name.padEnd(width)}  ${FAULTS[name].legend}`),
  ]
  const why = new Map<string, string[]>()
  for (const fault of faults)
    for (const place of places) {
      const reason = impossible(PLACES[place], FAULTS[fault])
      if (reason !== undefined) why.set(reason, [...(why.get(reason) ?? []), `${fault} at ${place}`])
    }
  for (const [reason, cells] of why) lines.push('', `–  ${reason}: ${cells.join(', ')}`)
  return lines.join('\n')
}
