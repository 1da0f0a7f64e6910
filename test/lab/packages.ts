import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What tests may need from the machine: each tool with the Debian package that brings it. */
const GROUPS = {
  lab: {
    unshare: 'util-linux',
    nsenter: 'util-linux',
    setpriv: 'util-linux',
    ip: 'iproute2',
    smbd: 'samba',
    nmbd: 'samba',
    smbstatus: 'samba',
    pdbedit: 'samba',
    net: 'samba-common-bin',
    nmblookup: 'samba-common-bin',
    smbclient: 'smbclient',
  },
  rootless: { unshare: 'util-linux', setpriv: 'util-linux', newuidmap: 'uidmap', newgidmap: 'uidmap' },
  capture: { tshark: 'tshark', dumpcap: 'tshark' },
  terminal: { python3: 'python3' },
  processes: { ps: 'procps' },
  calls: { strace: 'strace' },
  fuse3: { fusermount3: 'fuse3' },
  nbtscan: { nbtscan: 'nbtscan' },
  wine: { wine: 'wine', wine64: 'wine64' },
  desktop: { 'desktop-file-validate': 'desktop-file-utils', gio: 'libglib2.0-bin' },
  systemd: { systemd: 'systemd', 'systemd-analyze': 'systemd' },
  ansible: { 'ansible-playbook': 'ansible-core' },
  zsh: { zsh: 'zsh' },
  fish: { fish: 'fish' },
  impacket: { python3: 'python3', 'impacket/smbserver.py': 'python3-impacket' },
  debootstrap: { debootstrap: 'debootstrap' },
  mingw: { 'x86_64-w64-mingw32-gcc': 'gcc-mingw-w64-x86-64' },
} as const satisfies Record<string, Record<string, string>>

/** `fuse` needs no package, only the device. */
export type Group = keyof typeof GROUPS | 'fuse'

/** A PATH that has the administrator's folders too: not every root shell does. */
export const TOOL_PATH = [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)

/** Where a tool is, or undefined. The system's own python3 goes before a wrapper in somebody's home. */
export function tool(name: string): string | undefined {
  const folders = name === 'python3' ? ['/usr/bin', ...TOOL_PATH.split(delimiter)] : TOOL_PATH.split(delimiter)
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const isRoot = (): boolean => process.getuid?.() === 0
/** Root of the machine, and not of a user namespace only (`runAsRoot`). */
export const isMachineRoot = (): boolean => isRoot() && process.env['LAB_ROOTLESS'] === undefined

/** Where tools are that are not in PATH: Debian's wine64 is where only `wine` looks, and a Python module is no tool. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  wine64: '/usr/lib/wine/wine64',
  'impacket/smbserver.py': '/usr/lib/python3/dist-packages/impacket/smbserver.py',
}
const toolsOf = (group: Group): [string, string][] => (group === 'fuse' ? [] : Object.entries(GROUPS[group]))
const has = (name: string): boolean => existsSync(ELSEWHERE[name] ?? '') || tool(name) !== undefined
export const absentTools = (group: Group): [string, string][] => toolsOf(group).filter(([name]) => !has(name))

export const packagesOf = (tools: readonly [string, string][]): string[] => [...new Set(tools.map(([, name]) => name))].sort()

/** Installs what is missing, as root and with apt-get, after printing the line it runs. What cannot be installed is left for `missing` to report. */
export function ensurePackages(groups: readonly Group[]): void {
  const wanted = packagesOf(groups.flatMap(absentTools))
  if (wanted.length === 0) return
  const apt = tool('apt-get')
  const skipped = `skipped: what needs ${groups.filter(group => absentTools(group).length > 0).join(', ')}`
  if (!isMachineRoot() || apt === undefined || process.env['NBTRUN_LAB_APT'] === '0') {
    const why = !isMachineRoot() ? 'not root' : apt === undefined ? 'no apt-get here' : 'NBTRUN_LAB_APT=0'
    console.error(`lab: missing packages: ${wanted.join(' ')} (${why}); ${skipped}`)
    return
  }
  withoutServices(() => {
    run(apt, ['update', '-q'])
    if (run(apt, ['install', '-y', '-q', '--no-install-recommends', ...wanted])) return
    for (const group of groups) {
      const some = packagesOf(absentTools(group))
      if (some.length > 0) run(apt, ['install', '-y', '-q', '--no-install-recommends', ...some])
    }
  })
}

function run(apt: string, words: readonly string[]): boolean {
  console.error(`lab: apt-get ${words.join(' ')}    (NBTRUN_LAB_APT=0 stops this)`)
  const env = { ...process.env, PATH: TOOL_PATH, DEBIAN_FRONTEND: 'noninteractive' }
  return spawnSync(apt, words, { stdio: ['ignore', 2, 2], env }).status === 0
}

/** Debian starts a server it installs; this machine is to have no Samba of its own afterwards. */
function withoutServices(work: () => void): void {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return work()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    work()
  } finally {
    rmSync(policy, { force: true })
  }
}
