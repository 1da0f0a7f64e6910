import assert from 'node:assert/strict'
import { judge, type Lab, startLab } from './index.ts'
import { nbtrun, nbtrunReceipt, nothingLeft } from './nbtrun.ts'

/** What signs by default in each dialect that Samba speaks with us. */
export const SIGNED = { '2.0.2': 'HMAC-SHA256', '2.1': 'HMAC-SHA256', '3.0': 'AES-CMAC', '3.0.2': 'AES-CMAC', '3.1.1': 'AES-GMAC' } as const
export type Dialect = keyof typeof SIGNED

/** This dialect and no other. */
export const only = (dialect: Dialect): string[] => ['--min-dialect', dialect, '--max-dialect', dialect]

/** Also a share that must be encrypted, and a server where everything must. */
export function startSealingLab(): Promise<Lab> {
  const sealed = ['read only = no', 'smb encrypt = required']
  return startLab({ servers: { srv: { shares: { sealed } }, srv2: { global: ['server smb encrypt = required'] } } })
}

/** More than a request of 2.0.2 moves, written, read back and compared; a listing. */
const WORK = ['sh', '-c', 'cd "$NBTRUN_MOUNT" && head -c 300001 /dev/urandom >f && cp f g && cmp f g && ls && rm f g']

/** A whole run, to the last goodbye; dialect, signature and cipher of each share, as its receipt has them. */
export async function worked(lab: Lab, options: readonly string[], share = '//srv/app'): Promise<(string | null)[]> {
  const { code, stdout, stderr, receipt } = await nbtrunReceipt(lab, WORK, { share, options })
  assert.deepEqual([code, stderr], [0, ''])
  assert.deepEqual(stdout.match(/^[fg]$/gm), ['f', 'g'])
  assert.equal(receipt.end, 'acknowledged')
  await nothingLeft(lab)
  return receipt.shares.flatMap(({ dialect, signing, encryption }) => [dialect, signing, encryption])
}

/** What two kernels say to each other about a segment that came twice: a busy machine, no word of ours. */
const KERNELS = /^((D-SACK Sequence|Duplicate ACK \(#\d+\))\|?)+$/

/** A run as tshark sees it, which knows the password: nothing malformed, and the goodbyes in their order. */
export async function judged(lab: Lab, options: readonly string[]): Promise<void> {
  const capture = await lab.capture('client1')
  // little of it: what fills TCP's windows is worth a warning to tshark
  const { code } = await nbtrun(lab, ['sh', '-c', 'cd "$NBTRUN_MOUNT" && echo written >f && cat f && ls && rm f'], { options })
  const judgement = await judge(await capture.stop(), { password: lab.password() })
  assert.equal(code, 0)
  const [stream, ...others] = judgement.streams.filter(s => s.bytes > 0)
  assert.ok(stream !== undefined && others.length === 0)
  const requests = stream.commands.filter(c => !c.response).map(c => c.command)
  assert.deepEqual(requests.slice(-3), ['TREE_DISCONNECT', 'TREE_DISCONNECT', 'LOGOFF'])
  assert.equal(stream.commands.at(-1)?.status, 0)
  assert.deepEqual(
    stream.ends.map(({ kind, from }) => [kind, from]),
    [
      ['FIN', stream.client],
      ['FIN', stream.server],
    ],
  )
  assert.deepEqual(
    judgement.complaints.filter(({ text }) => !KERNELS.test(text)),
    [],
  )
  await nothingLeft(lab)
}
