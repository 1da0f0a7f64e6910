import type { Argv } from 'yargs'
import { NbtrunError } from '../../base/errors.ts'
import { shown } from '../../profile/values.ts'
import { isDenied, isUnknownLevel } from '../../smb/rpc/srvsvc/errors.ts'
import type { ServerInfo } from '../../smb/rpc/srvsvc/levels.ts'
import type { ServerService } from '../../smb/rpc/srvsvc/service.ts'
import { output, print } from '../report.ts'
import { onServer, type Given } from '../server.ts'
import { counted, table } from '../table.ts'
import { withReach } from '../yargs.ts'

/** sv1010_disc: never. [MS-SRVS] 2.2.4.47. */
const NEVER = 0xffff_ffff
const LONGEST = 0x7fff_ffff

export function options(y: Argv): Argv {
  return withReach(
    y
      .usage('nbtrun autodisconnect //SERVER [MINUTES] [--json] [options]')
      .positional('target', { type: 'string', describe: '//SERVER' })
      .positional('minutes', { type: 'string', describe: 'how long a session may idle from now on; 0: a few seconds; -1: for ever' })
      .option('json', { type: 'boolean', describe: 'for programs' }),
  )
}

export function run(given: Given): Promise<void> {
  const { minutes } = given
  const wanted = typeof minutes === 'string' ? minutesOf(minutes) : undefined
  return onServer(given, async ({ host, ask }) => {
    const json = given['json'] === true
    await ask(async service => {
      const before = await idleLimit(service)
      const tuned = await tunedValues(service)
      if (wanted === undefined) return json ? output(JSON.stringify({ server: host, minutes: signed(before), tuned })) : output(shownNow(host, before, tuned))
      warn(host, wanted)
      await service.setInfo(1010, { disc: wanted })
      const after = await idleLimit(service)
      if (json) output(JSON.stringify({ server: host, minutes: signed(after), before: signed(before), tuned }))
      else output(`${sentence(host, after)} (before: ${spelled(before)})`)
      if (after !== wanted)
        throw new NbtrunError('SERVER_REFUSED', `${host} said yes and still has ${spelled(after)}`, { hint: 'Samba has "deadtime" in smb.conf instead' })
    })
  })
}

/** -1 or `never`, or a whole number. */
function minutesOf(text: string): number {
  if (text === '-1' || text === 'never') return NEVER
  const minutes = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(minutes <= LONGEST)) throw new NbtrunError('USAGE', `the time must be a number of minutes, or -1 for never, not ${shown(text)}`)
  return minutes
}

/** Level 102 has it beside much else, level 1010 alone: servers know one or the other. */
async function idleLimit(service: ServerService): Promise<number> {
  try {
    return (await service.info(102)).disc
  } catch (thrown) {
    if (!isUnknownLevel(thrown)) throw thrown
    return (await service.info(1010)).disc
  }
}

/** What the server sets by itself until somebody sets something; null where it does not say. */
async function tunedValues(service: ServerService): Promise<ServerInfo<502> | null> {
  try {
    return await service.info(502)
  } catch (thrown) {
    if (isUnknownLevel(thrown) || isDenied(thrown)) return null
    throw thrown
  }
}

/** What Q153070 says about NET CONFIG SERVER /AUTODISCONNECT. */
function warn(host: string, wanted: number): void {
  print(`${host} stops tuning itself: its server service keeps the values that it has now, in its registry (Q153070)`)
  if (wanted === 0) print('0 does not switch it off: idle sessions end after a few seconds; -1 is for never')
  else if (wanted === NEVER) print('-1 switches it off: a session that a client forgets holds its seat for ever')
  else print('0 would mean a few seconds, and -1 never')
}

function sentence(host: string, minutes: number): string {
  return minutes === NEVER ? `${host} never ends idle sessions` : `${host} ends idle sessions after ${spelled(minutes)}`
}

function spelled(minutes: number): string {
  return minutes === NEVER ? 'never' : minutes === 0 ? 'a few seconds' : counted(minutes, 'minute')
}

function signed(minutes: number): number {
  return minutes === NEVER ? -1 : minutes
}

function shownNow(host: string, minutes: number, tuned: ServerInfo<502> | null): string {
  const first = sentence(host, minutes)
  return tuned === null ? first : `${first}\n\n${table(['SET BY ITSELF', 'VALUE'], Object.entries(tuned))}`
}
