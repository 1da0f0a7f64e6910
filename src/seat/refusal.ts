import { NbtrunError } from '../base/errors.ts'
import { spell } from '../base/time.ts'
import { lackOf, type Lack } from './lack.ts'

/** What patience did not mend. */
export function waited(error: NbtrunError, ms: number): NbtrunError {
  const { code, message, facts, hint } = error
  return new NbtrunError(code, `${message}, still after ${spell(ms)}`, { cause: error, facts, ...(hint === undefined ? {} : { hint }) })
}

const IN_VAIN = {
  seat: ['SHARE_FULL', 'no seat was free'],
  network: ['CONNECT_FAILED', 'the server could not be reached'],
  name: ['NAME_HELD', 'a name was held by somebody else'],
} as const satisfies Record<Lack, readonly [NbtrunError['code'], string]>

/** Others on this machine were first, to the end. */
export function noTurn(lack: Lack | undefined, place: number, ms: number): NbtrunError {
  const [code, what] = IN_VAIN[lack ?? 'seat']
  return new NbtrunError(code, `${what} for ${spell(ms)}: still number ${place} in line on this machine`)
}

export interface Wish {
  /** `--wait`, ms. */
  readonly waitMs: number
  /** `--busy-exit-code`. */
  readonly busyExit: number
  /** `//srv/cad`, for the hint. */
  readonly share: string
}

/** The same failure with the exit code that scripts look for, and the way to a seat: for the lack of one, or of what was waited for in vain. */
export function busy(error: NbtrunError, { waitMs, busyExit, share }: Wish): NbtrunError {
  const lack = lackOf(error)
  if (lack === undefined || (lack === 'network' && waitMs === 0)) return error
  const hint = cure(lack, error, { waitMs, share })
  return new NbtrunError(error.code, error.message, { cause: error.cause, facts: { ...error.facts, exit: busyExit }, ...(hint === undefined ? {} : { hint }) })
}

function cure(lack: Lack, { hint }: NbtrunError, { waitMs, share }: Omit<Wish, 'busyExit'>): string | undefined {
  const holders = `nbtrun sessions ${share} shows who holds it`
  switch (lack) {
    case 'network':
      return hint
    case 'name':
      return waitMs === 0 ? `${hint ?? 'choose another name'}, or add --wait 10m to wait for it` : hint
    case 'seat':
      return waitMs === 0 ? `add --wait 10m to queue, ${holders}` : holders
  }
}
