import { spell } from '../base/time.ts'
import type { Ended, GivenBack, Lingering, Queued, RunEvent, Started, Survivor } from '../run/events.ts'
import type { Reaped } from '../run/reap.ts'
import type { End, Receipt } from '../run/receipt.ts'
import type { Lack } from '../seat/lack.ts'

/** The lines for people, without `nbtrun: ` in front: pure functions of what happened. */

const LACKING: Record<Lack, (share: string) => string> = {
  seat: share => `${share} is full`,
  network: share => `${share} cannot be reached yet`,
  name: share => `a name for ${share} is held by somebody else`,
}

/** `//srv/cad is full; waiting up to 10 min, 2nd in line on this machine` */
export function queuedLine({ share, lack, place, waitMs }: Queued): string {
  const why = lack === undefined ? share : LACKING[lack](share)
  return `${why}; waiting up to ${spell(waitMs)}, ${ordinal(place)} in line on this machine`
}

/** 1st, 2nd, 3rd, 4th, 11th. */
function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`
}

export function startLines({ shares, program }: Started): string[] {
  return shares.map(share => {
    if (share.mapping === 'drive') return `${share.label} is at ${share.point}, for all of this logon session (by Windows' own client, ${share.way})`
    const how = `SMB ${share.dialect}, ${share.encrypted ? 'encrypted' : share.signed ? 'signed' : 'not signed'}`
    if (share.point === undefined) return `${share.label} is held for ${program} (${how})`
    const at = share.drive === undefined ? share.point : `${share.drive} (${share.point})`
    return `${share.label} is at ${at}, for ${share.mapping === 'private' ? `${program} alone` : 'all of this user'} (${how}, way ${share.way})`
  })
}

/** Which wineserver the program will have, and the mapping that it can see. */
export function wineLine({ prefix, server, mapping }: Extract<RunEvent, { type: 'wine' }>): string {
  if (server === undefined) return `no wineserver of ${prefix} runs; the program starts its own, with a ${mapping} mapping`
  return `a wineserver of ${prefix} runs already (pid ${server}); with a ${mapping} mapping it sees the share, as a local disk`
}

/** `children`: how many processes beside the program's own used the mapping, where that is known. */
export function endLine({ program, exit, signal, graceMs, children = 0 }: Ended & { readonly children?: number }): string {
  const who = children === 0 ? `${program} is gone` : `${program} and its ${children === 1 ? 'child' : `${children} children`} are gone`
  const how = signal === null ? `exit code ${exit ?? 'unknown'}` : `ended by ${signal}`
  return `${who}, ${how}${graceMs > 0 ? `; grace ${spell(graceMs)}` : ''}`
}

export function survivorsLine({ program, users }: Pick<Lingering, 'program' | 'users'>): string {
  return `${program} is gone; the share is taken from ${users.length === 0 ? 'nobody' : users.map(spellSurvivor).join(', ')}`
}

/** `app (4711) with x.dbf open` */
function spellSurvivor({ pid, name, files }: Survivor): string {
  return `${name} (${pid})${files.length === 0 ? '' : ` with ${files.join(', ')} open`}`
}

export function reapedLine({ dead, gone, left }: Reaped): string {
  const parts = [...(gone.length === 0 ? [] : [`gave back ${gone.join(', ')}`]), ...left]
  return `run ${dead} is dead; ${parts.length === 0 ? 'it had left nothing' : parts.join('; ')}`
}

const END: Record<End, string> = {
  acknowledged: 'acknowledged',
  forced: 'not acknowledged',
  lost: 'the connection was lost before',
  disconnected: "the session is Windows' own",
  'nothing-held': 'nothing was held',
}

export function givenBackLine({ ms, what, end }: GivenBack): string {
  return `given back in ${spell(ms)}: ${what.length === 0 ? 'nothing' : what.join(', ')} (${END[end]})`
}

/** The receipt as people's text: one fact a line. */
export function receiptText(receipt: Receipt): string[] {
  const { run, program, shares, names, steps, waitedMs, attempts, reconnects, heldMs, graceMs, releasedMs, end, verification, survivors, error, warnings } =
    receipt
  const lines = [`receipt of run ${run}`]
  if (program !== null) {
    const how = program.signal === null ? `exit code ${program.exit ?? 'unknown'}` : `ended by ${program.signal}`
    lines.push(`  program ${program.path} (pid ${program.pid}): ${how}${program.timedOut ? ', at its time limit' : ''}`)
  }
  for (const s of shares) {
    if (s.foundBy === 'windows') {
      lines.push(`  ${s.share} by Windows' own client, ${s.mapping} mapping (${s.way}) at ${s.point}`)
      continue
    }
    const safe = s.encryption !== null ? `encrypted ${s.encryption}` : s.signing !== null ? `signed ${s.signing}` : 'not signed'
    lines.push(
      `  ${s.share} on ${s.address} (${s.foundBy}), ${s.transport}${s.calledName === null ? '' : ` called ${s.calledName}`}, SMB ${s.dialect}, ${safe}${s.guest ? ', as guest' : ''}`,
    )
    const at = s.drive === null ? s.point : `${s.drive}, ${s.point}`
    lines.push(`    ${s.point === null ? 'no mapping' : `${s.mapping} mapping (${s.way}) at ${at}`}, ${s.bytesRead} bytes read, ${s.bytesWritten} written`)
  }
  for (const { name, addresses, server, broadcast, defended, lost } of names) {
    const where = [...(server === null ? [] : [`at ${server}`]), ...(broadcast ? ['by broadcast'] : [])].join(' and ')
    const how = lost === null ? (defended ? '' : ', not defended') : `, lost: ${lost}`
    lines.push(`  name ${name} for ${addresses.join(', ')} ${where}${how}`)
  }
  for (const step of steps) {
    const result = step.ok ? (step.status ?? 'ok') : `failed: ${step.error ?? step.status ?? 'no reason given'}`
    lines.push(`  ${spell(step.atMs)}: ${step.phase} ${step.name}, ${result} (${spell(step.ms)})`)
  }
  if (attempts > 1) lines.push(`  had its shares at try ${attempts}, after ${spell(waitedMs)}`)
  if (reconnects > 0) lines.push(`  connections lost and set up anew: ${reconnects}`)
  for (const survivor of survivors) lines.push(`  still running: ${spellSurvivor(survivor)}`)
  for (const warning of warnings) lines.push(`  warning: ${warning}`)
  if (error !== null) lines.push(`  failed: ${error.message} (${error.code})`)
  const grace = graceMs > 0 ? `, grace ${spell(graceMs)}` : ''
  const asked = verification === null ? '' : `; ${verification}`
  lines.push(`  held ${spell(heldMs)}${grace}, given back in ${spell(releasedMs)}: ${END[end]}${asked}`)
  return lines
}
