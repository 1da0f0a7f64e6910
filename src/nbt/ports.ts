/** RFC 1002 section 4: name service, datagram service, session service. */
export interface NbtPorts {
  readonly name: number
  readonly datagram: number
  readonly session: number
}

export const PORTS: NbtPorts = { name: 137, datagram: 138, session: 139 }
