import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { MARKER_PORT } from './capture.ts'
import { TOOL_PATH } from './packages.ts'

/** An SMB command seen on the wire. Those of SMB1 have SMB2's names where they begin or end something. */
export interface Seen {
  /** `NEGOTIATE`, `TREE_DISCONNECT` … */
  readonly command: string
  readonly response: boolean
  /** NTSTATUS of a response. */
  readonly status: number | undefined
  /** TreeId, where the packet names one for each of its commands. */
  readonly tree: number | undefined
  /** Path of that tree, where its connect was recorded: `\\srv\app`. */
  readonly path: string | undefined
  readonly frame: number
  /** ms since the recording began. */
  readonly at: number
}

/** One TCP connection, as tshark sees it. */
export interface Stream {
  readonly client: string
  readonly server: string
  readonly port: number
  readonly commands: readonly Seen[]
  /** NetBIOS session packets in their order, without session messages: `request`, `positive`, `negative`, `retarget`, `keepalive`. */
  readonly sessionService: readonly string[]
  readonly clientGuid: string | undefined
  /** Frames that came under SMB2 TRANSFORM_HEADER: encrypted. [MS-SMB2] 2.2.41. */
  readonly sealed: number
  /** Payload bytes, both ways. */
  readonly bytes: number
  /** Who ended it, in order: FINs and RSTs with the address that sent them. */
  readonly ends: readonly { readonly kind: 'FIN' | 'RST'; readonly from: string; readonly at: number }[]
  /** ms since the recording began, of the first and the last frame. */
  readonly first: number
  readonly last: number
}

export interface Complaint {
  readonly frame: number
  readonly from: string
  readonly text: string
}

export interface Judgement {
  readonly streams: readonly Stream[]
  /** What tshark finds malformed, erroneous or worth a warning. */
  readonly complaints: readonly Complaint[]
  /** The complaints about packets from this address. */
  malformed(from: string): readonly Complaint[]
}

// [MS-SMB2] 2.2.1.2, in the order of their numbers
const COMMANDS = `NEGOTIATE SESSION_SETUP LOGOFF TREE_CONNECT TREE_DISCONNECT CREATE CLOSE FLUSH READ WRITE LOCK IOCTL CANCEL ECHO QUERY_DIRECTORY
  CHANGE_NOTIFY QUERY_INFO SET_INFO OPLOCK_BREAK`.split(/\s+/)

// [MS-CIFS] 2.2.2.1
const SMB1_COMMANDS = new Map([
  [0x2b, 'ECHO'],
  [0x71, 'TREE_DISCONNECT'],
  [0x72, 'NEGOTIATE'],
  [0x73, 'SESSION_SETUP'],
  [0x74, 'LOGOFF'],
  [0x75, 'TREE_CONNECT'],
])

// RFC 1002 section 4.3.1
const SESSION_PACKETS = new Map([
  [0x81, 'request'],
  [0x82, 'positive'],
  [0x83, 'negative'],
  [0x84, 'retarget'],
  [0x85, 'keepalive'],
])

/** Wireshark's PI_WARN and PI_ERROR: epan/proto.h. */
const WARNING = 0x00600000
/** PI_SEQUENCE: what the TCP of the kernels did (a segment sent twice, a full window). It depends on how busy the machine is. */
const SEQUENCE = 0x02000000

const FIELDS = `frame.number frame.time_relative ip.src ip.dst tcp.stream tcp.srcport tcp.dstport tcp.len tcp.flags.syn tcp.flags.ack tcp.flags.fin
  tcp.flags.reset nbss.type smb2.cmd smb2.flags.response smb2.nt_status smb2.tid smb2.tree smb2.client_guid smb2.header.transform.signature smb.cmd smb.flags.response smb.nt_status smb.tid smb.path _ws.malformed _ws.expert.severity _ws.expert.group
  _ws.expert.message`.split(/\s+/)

interface Building extends Stream {
  readonly commands: Seen[]
  readonly sessionService: string[]
  readonly ends: { kind: 'FIN' | 'RST'; from: string; at: number }[]
  clientGuid: string | undefined
  sealed: number
  bytes: number
  last: number
}

/** Has tshark read a recording. With `password` it opens SMB3 encryption, too. */
export async function judge(pcap: string, { password }: { password?: string } = {}): Promise<Judgement> {
  const config = `${pcap}.config`
  mkdirSync(config, { recursive: true })
  // not in argv, where every user of the machine could read it
  writeFileSync(join(config, 'preferences'), password === undefined ? '' : `ntlmssp.nt_password: ${password}\n`, { mode: 0o600 })
  const args = ['-n', '-r', pcap, '-Y', `!(udp.port == ${MARKER_PORT})`, '-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=|', '-E', 'quote=n']
  const { stdout } = await execa('tshark', [...args, ...FIELDS.flatMap(field => ['-e', field])], {
    env: { PATH: TOOL_PATH, WIRESHARK_CONFIG_DIR: config },
    maxBuffer: 1e9,
  })
  const streams = new Map<string, Building>()
  const complaints: Complaint[] = []
  for (const line of stdout.split('\n').filter(text => text !== '')) {
    const row = new Row(line)
    const from = row.text('ip.src')
    const groups = row.numbers('_ws.expert.group')
    const severe = row.numbers('_ws.expert.severity').some((severity, i) => severity >= WARNING && groups[i] !== SEQUENCE)
    if (severe || row.text('_ws.malformed') !== '') {
      complaints.push({ frame: row.number('frame.number'), from, text: row.text('_ws.expert.message') || row.text('_ws.malformed') })
    }
    const id = row.text('tcp.stream')
    if (id === '') continue
    const stream = streams.get(id) ?? begin(row)
    streams.set(id, stream)
    extend(stream, row)
  }
  return { streams: [...streams.values()], complaints, malformed: from => complaints.filter(complaint => complaint.from === from) }
}

function begin(row: Row): Building {
  const answer = row.flag('tcp.flags.syn') && row.flag('tcp.flags.ack')
  const [here, there, port] = answer ? (['ip.dst', 'ip.src', 'tcp.srcport'] as const) : (['ip.src', 'ip.dst', 'tcp.dstport'] as const)
  const first = row.at
  const own = { commands: [], sessionService: [], ends: [], clientGuid: undefined, sealed: 0, bytes: 0, first, last: first }
  return { client: row.text(here), server: row.text(there), port: row.number(port), ...own }
}

function extend(stream: Building, row: Row): void {
  const [at, from] = [row.at, row.text('ip.src')]
  stream.last = at
  stream.bytes += row.number('tcp.len')
  // each side has one; a kernel that did not hear of its arrival in time sends it again
  const isFirst = stream.ends.every(end => end.kind !== 'FIN' || end.from !== from)
  if (row.flag('tcp.flags.fin') && isFirst) stream.ends.push({ kind: 'FIN', from, at })
  if (row.flag('tcp.flags.reset')) stream.ends.push({ kind: 'RST', from, at })
  stream.sessionService.push(...row.numbers('nbss.type').flatMap(type => SESSION_PACKETS.get(type) ?? []))
  stream.sealed += row.list('smb2.header.transform.signature').length
  stream.clientGuid ??= row.list('smb2.client_guid')[0]
  const inSmb1 = smb1Command(row, at)
  if (inSmb1 !== undefined) stream.commands.push(inSmb1)
  const commands = row.numbers('smb2.cmd')
  const [responses, statuses, trees, paths] = [row.list('smb2.flags.response'), row.numbers('smb2.nt_status'), row.numbers('smb2.tid'), row.list('smb2.tree')]
  for (const [i, number] of commands.entries()) {
    const response = isSet(responses[i])
    stream.commands.push({
      command: COMMANDS[number] ?? `0x${number.toString(16)}`,
      response,
      status: response && statuses.length === commands.length ? statuses[i] : undefined,
      tree: trees.length === commands.length ? trees[i] : undefined,
      path: paths.length === commands.length ? paths[i] : undefined,
      frame: row.number('frame.number'),
      at,
    })
  }
}

function smb1Command(row: Row, at: number): Seen | undefined {
  const [number] = row.numbers('smb.cmd') // what stands behind it is AndX
  if (number === undefined) return undefined
  const response = isSet(row.list('smb.flags.response')[0])
  return {
    command: SMB1_COMMANDS.get(number) ?? `0x${number.toString(16)}`,
    response,
    status: response ? row.number('smb.nt_status') : undefined,
    tree: row.numbers('smb.tid')[0],
    path: row.list('smb.path')[0],
    frame: row.number('frame.number'),
    at,
  }
}

const isSet = (text: string | undefined): boolean => text === '1' || text === 'True'

/** One line of tshark's fields. */
class Row {
  readonly #cells: string[]

  constructor(line: string) {
    this.#cells = line.split('\t')
  }

  text(field: string): string {
    return this.#cells[FIELDS.indexOf(field)] ?? ''
  }

  list(field: string): string[] {
    const text = this.text(field)
    return text === '' ? [] : text.split('|')
  }

  numbers(field: string): number[] {
    return this.list(field).map(Number)
  }

  number(field: string): number {
    return Number(this.list(field)[0] ?? 0)
  }

  flag(field: string): boolean {
    return isSet(this.list(field)[0])
  }

  get at(): number {
    return this.number('frame.time_relative') * 1000
  }
}
