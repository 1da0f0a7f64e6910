import type { Code, NbtrunError } from '../base/errors.ts'

/** What a run may wait for: a seat on a full server or share, a network that is not there yet, a name that somebody else holds. */
export type Lack = 'seat' | 'network' | 'name'

/** Every other failure is final: above all a refused login, which another try would only make worse. */
const LACKS: Partial<Record<Code, Lack>> = {
  SHARE_FULL: 'seat',
  NAME_HELD: 'name',
  HOST_NOT_FOUND: 'network',
  CONNECT_FAILED: 'network',
  CONNECTION_LOST: 'network',
  TIMED_OUT: 'network',
}

/** Called name present, but insufficient resources: so a NetBIOS session service says that it is full. RFC 1002 section 4.3.4. */
const NO_ROOM = 0x83

/** What is lacking, where waiting may mend that. */
export function lackOf({ code, facts }: NbtrunError): Lack | undefined {
  return code === 'CALLED_NAME_REFUSED' && facts['reason'] === NO_ROOM ? 'seat' : LACKS[code]
}
