import { randomBytes } from 'node:crypto'
import { asError } from '../../base/errors.ts'
import { now, spell } from '../../base/time.ts'
import { findCredentials } from '../../profile/credentials.ts'
import { busy } from '../../seat/refusal.ts'
import { connectTree } from '../../smb/acquire.ts'
import { ServerService } from '../../smb/rpc/srvsvc/service.ts'
import type { SharedThing } from '../../smb/rpc/srvsvc/accounts.ts'
import { folderOf, login } from '../servers.ts'
import { notGivenBack } from '../teardown.ts'
import { type Check, failed, finding, note, ok, type Seen } from './check.ts'
import type { Patient } from './patient.ts'
import { brief } from './patience.ts'
import { notHeard } from './server.ts'
import { size, speeds } from './speed.ts'

const STEP_MS = 60_000
const ECHOES = 5

const noSession = (patient: Patient): string | undefined => notHeard(patient) ?? (patient.lifeline === undefined ? 'nobody is logged in' : undefined)
const noTree = (patient: Patient): string | undefined => noSession(patient) ?? (patient.tree === undefined ? 'no share is connected' : undefined)

/** As a run does it: one login, the share, and what it is worth. Everything taken stands in the patient's ledger. */
export const SHARE: readonly Check[] = [
  {
    group: 'share',
    check: 'credentials',
    limitMs: undefined,
    needless: notHeard,
    async look(patient, signal) {
      const { settings, cwd, target, ask } = patient
      patient.credentials = await ask(await findCredentials(settings, cwd), target!.host, signal)
      const { kind, user, domain } = patient.credentials
      return ok(kind === 'anonymous' ? 'nobody' : domain === '' ? user : `${domain}/${user}`, { kind })
    },
  },
  {
    group: 'share',
    check: 'login',
    limitMs: STEP_MS,
    needless: patient => notHeard(patient) ?? (patient.credentials === undefined ? 'it is not known who logs in' : undefined),
    async look(patient) {
      const { settings, target, scope, journal, credentials } = patient
      const lifeline = await login(scope, brief(settings), target!.host, randomBytes(16), credentials!, { journal })
      patient.lifeline = lifeline
      const { dialect } = lifeline.connection
      const { guest, anonymous, signing } = lifeline.session
      const facts = { dialect, signing: signing ?? 'no', guest, anonymous }
      const text = `SMB ${dialect}, ${signing === undefined ? 'not signed' : `signed with ${signing}`}`
      if (guest || anonymous) return note(`${text}, as ${guest ? 'a guest' : 'nobody'}`, 'GUEST_SESSION', undefined, facts)
      return ok(text, facts)
    },
  },
  {
    group: 'share',
    check: 'echo',
    limitMs: STEP_MS,
    needless: noSession,
    async look({ lifeline, settings }) {
      const times: number[] = []
      for (let i = 0; i < ECHOES; i++) {
        const began = now()
        await lifeline!.connection.echo(settings['io-timeout'])
        times.push(now() - began)
      }
      times.sort((a, b) => a - b)
      const median = times[Math.floor(ECHOES / 2)] ?? 0
      return ok(`${spell(median)} there and back`, { medianMs: Math.round(median * 1000) / 1000 })
    },
  },
  {
    group: 'share',
    check: 'shares',
    limitMs: STEP_MS,
    needless: noSession,
    async look(patient) {
      const { scope, lifeline } = patient
      try {
        const service = await ServerService.open(await connectTree(scope, lifeline!, 'IPC$'))
        const shares = await service.shares()
        await service.close()
        patient.shares = shares
        const names = folders(shares)
        return ok(names.length === 0 ? 'none that holds files' : names.join(', '), { names })
      } catch (thrown) {
        return note(`the server does not tell them: ${asError(thrown).message}`)
      }
    },
  },
  {
    group: 'share',
    check: 'share',
    limitMs: STEP_MS,
    needless: patient => noSession(patient) ?? (patient.target?.share === undefined ? 'none is named' : undefined),
    async look(patient) {
      const { scope, lifeline, target, shares = [] } = patient
      const { label, share = '' } = target!
      const listed = shares.find(({ name }) => name.toLowerCase() === share.toLowerCase())
      const began = now()
      try {
        const tree = await connectTree(scope, lifeline!, share)
        if (!tree.isDisk) return finding('SHARE_NOT_FOUND', `${label} is a printer or a pipe, not a folder`, 'name a share that holds files')
        patient.tree = tree
        if (target!.folder === '') patient.files = tree
        const facts = { encryption: tree.cipher ?? 'no' }
        const about = { ms: now() - began }
        return [
          { ...about, ...ok(tree.cipher === undefined ? 'not encrypted' : `encrypted with ${tree.cipher}`, facts) },
          { check: 'seat', ...ok(`free${inUse(listed)}`) },
        ]
      } catch (thrown) {
        const error = asError(thrown)
        if (error.code === 'SHARE_NOT_FOUND' && folders(shares).length > 0)
          return finding(error.code, error.message, `it shares ${folders(shares).join(', ')}; hidden ones it does not list`)
        if (error.code !== 'SHARE_FULL') throw thrown
        const { message, hint } = busy(error, { waitMs: 0, busyExit: 75, share: label })
        return [
          { ms: now() - began, ...ok('there') },
          { check: 'seat', ...finding('SHARE_FULL', `${message}${inUse(listed)}`, hint) },
        ]
      }
    },
  },
  {
    group: 'share',
    check: 'folder',
    limitMs: STEP_MS,
    needless: patient => noTree(patient) ?? (patient.target?.folder === '' ? 'none is named' : undefined),
    async look(patient) {
      const { folder, label } = patient.target!
      const path = folder.replaceAll('\\', '/')
      try {
        patient.files = await folderOf(patient.tree!, { folder, label: `${label}/${path}` })
        return ok(path)
      } catch (thrown) {
        const seen = failed(thrown)
        return seen.code === 'FILE_ERROR' ? { ...seen, cure: `check the name of the folder: nbtrun --share ${label} -- ls {mount} shows what there is` } : seen
      }
    },
  },
  {
    group: 'share',
    check: 'space',
    limitMs: STEP_MS,
    needless: noTree,
    async look({ tree }) {
      const { totalBytes, availableBytes } = await tree!.volume()
      const facts = { totalBytes, availableBytes }
      const text = `${size(availableBytes)} of ${size(totalBytes)} free`
      return availableBytes === 0 ? finding('DISK_FULL', text, undefined, facts) : ok(text, facts)
    },
  },
  {
    group: 'share',
    check: 'speed',
    limitMs: STEP_MS,
    settleMs: 4000,
    needless: patient => noTree(patient) ?? (patient.files === undefined ? 'the folder cannot be used' : undefined),
    look: (patient, signal) => speeds(patient.files!, patient.scope, signal),
  },
]

/** The names of the folders among them that are for everybody. */
function folders(shares: readonly SharedThing[]): string[] {
  return shares.filter(({ kind, special }) => kind === 'disk' && !special).map(({ name }) => name)
}

/** ` (1 of 5 in use before)`: without us. */
function inUse(listed: SharedThing | undefined): string {
  if (listed?.uses === null || listed?.uses === undefined) return ''
  const { uses, limit } = listed
  return ` (${uses}${limit === null || !Number.isFinite(limit) ? '' : ` of ${limit}`} in use before)`
}

/** Everything is given back: what the server answered, or what it did not. */
export async function giveBack({ scope }: Patient): Promise<Seen> {
  const before = scope.steps.length
  await scope.unwind()
  const undone = scope.steps.slice(before).filter(({ phase }) => phase === 'teardown')
  if (undone.length === 0) return { state: 'skipped', text: 'nothing was held' }
  const bad = undone.filter(step => !step.ok)
  const error = notGivenBack(bad)
  if (error !== undefined) return failed(error)
  return ok(undone.map(({ name }) => name).join(', '))
}
