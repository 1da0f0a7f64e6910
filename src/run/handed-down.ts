import { readFileSync, readlinkSync } from 'node:fs'

/** The first of the descriptors that systemd, or who speaks its protocol, hands down. sd_listen_fds(3) */
const FIRST = 3

/** The socket, bound to this UDP port, that whoever started this process opened for it; undefined where there is none. */
export function handedDownUdp(env: Readonly<Record<string, string | undefined>>, port: number): number | undefined {
  const count = Number(env['LISTEN_FDS'] ?? 0)
  if (env['LISTEN_PID'] !== String(process.pid) || !Number.isInteger(count) || count < 1 || count > 64) return undefined
  const bound = inodesOn(port)
  return Array.from({ length: count }, (_, i) => FIRST + i).find(fd => bound.has(inodeOf(fd) ?? ''))
}

function inodeOf(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  } catch {
    return undefined
  }
}

/** Of the UDP sockets on a port: proc_pid_net(5), whose second column is the address and whose tenth the inode. */
function inodesOn(port: number): ReadonlySet<string> {
  const rows = readFileSync('/proc/self/net/udp', 'latin1').trim().split('\n').slice(1)
  const columns = rows.map(row => row.trim().split(/\s+/))
  return new Set(columns.flatMap(row => (Number.parseInt(row[1]?.split(':')[1] ?? '', 16) === port ? [row[9] ?? ''] : [])))
}
