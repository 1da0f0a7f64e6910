import { spawnSync } from 'node:child_process'
import { enter, type Host } from './host.ts'
import { TOOL_PATH } from './packages.ts'

/** Addresses are 198.18.N.x: the block set aside for tests of network devices (RFC 2544). */
export const wireAddress = (subnet: number): string => `198.18.${subnet}.253`

/** Set-up lines of the wire: a bridge that forwards at once and says nothing of its own. */
export const wireSetup = `
sysctl() { [ ! -w "/proc/sys/net/$1" ] || echo "$2" >"/proc/sys/net/$1"; }
sysctl ipv6/conf/all/disable_ipv6 1
sysctl ipv6/conf/default/disable_ipv6 1
ip link set lo up
ip link add wire type bridge forward_delay 0 mcast_snooping 0
ip link set wire up
`

/** Set-up lines of a host on that wire, its end of the cable is `eth0`, the wire's end has the host's name. */
export function hostSetup(name: string, address: string, wire: number): string {
  return `
[ ! -w /proc/sys/net/ipv6/conf/all/disable_ipv6 ] || echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
hostname ${name}
ip link set lo up
ip link add eth0 type veth peer name ${name} netns ${wire}
ip addr add ${address}/24 broadcast + dev eth0
ip link set eth0 up
nsenter --target=${wire} --net ip link set ${name} master wire up
`
}

/** Gives the wire an address, and, where this machine is to reach the lab, a cable to it. Returns N of 198.18.N.x. */
export function plugIn(wirePid: number, reachable: boolean): number {
  if (!reachable) return addressWire(wirePid, 0)
  // the name of the cable's end on this machine is the lock on N: only one lab can make it
  for (let n = 1; n < 250; n++) {
    if (!inWire(wirePid, `link add uplink type veth peer name nbtlab${n} netns ${process.pid}`)) continue
    if (!inWire(wirePid, 'link set uplink master wire up')) continue
    ip(['addr', 'add', `198.18.${n}.254/24`, 'dev', `nbtlab${n}`])
    ip(['link', 'set', `nbtlab${n}`, 'up'])
    return addressWire(wirePid, n)
  }
  throw new Error('lab: no free network 198.18.1.0/24 to 198.18.249.0/24')
}

function addressWire(wirePid: number, n: number): number {
  inWire(wirePid, `addr add ${wireAddress(n)}/24 dev wire`)
  return n
}

const inWire = (wirePid: number, words: string): boolean =>
  spawnSync('nsenter', [`--target=${wirePid}`, '--net', 'ip', ...words.split(' ')], { env: { PATH: TOOL_PATH } }).status === 0

function ip(words: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', words, { env: { PATH: TOOL_PATH }, encoding: 'utf8' })
  if (status !== 0) throw new Error(`lab: ip ${words.join(' ')}: ${stderr.trim()}`)
}

function inHost(host: Host, words: readonly string[]): void {
  const [file = '', ...args] = [...enter(host), ...words]
  const { status, stderr } = spawnSync(file, args, { env: { PATH: TOOL_PATH }, encoding: 'utf8' })
  if (status !== 0) throw new Error(`lab: ${words.join(' ')} on ${host.name}: ${stderr.trim()}`)
}

/** Pulls a host's cable out of the wire, or puts it back. */
export const link = (wire: Host, host: Host, state: 'up' | 'down'): void => inHost(wire, ['ip', 'link', 'set', host.name, state])

/** From now on what the host sends from this TCP port vanishes, as behind a silent firewall. Returns the way back. */
export function mute(host: Host, port: number): () => void {
  const rule = ['ipproto', 'tcp', 'sport', String(port), 'blackhole']
  inHost(host, ['ip', 'rule', 'add', ...rule])
  return () => inHost(host, ['ip', 'rule', 'del', ...rule])
}
