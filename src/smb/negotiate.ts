import { asError } from '../base/errors.ts'
import { deferred, within } from '../base/time.ts'
import { dialectsBetween, isSmb2 } from './dialect.ts'
import { multiProtocolAnswer, multiProtocolRequest } from './multi-protocol.ts'
import type { Connection, ConnectionOptions } from './resources.ts'
import { Connection as Smb2Connection } from './smb2/connection.ts'
import { DIALECT } from './smb2/dialect.ts'
import { termsOf } from './terms.ts'
import { hungUp, type Transport } from './transport.ts'

/**
 * Negotiates over a fresh transport, which it takes over: also a failed negotiation ends it. In SMB2 at once, unless SMB1 is allowed or the server shall be
 * asked in words that SMB1 has too. What SMB1 needs is loaded when a server has chosen it.
 */
export async function negotiate(transport: Transport, options: ConnectionOptions): Promise<Connection> {
  const { minDialect, maxDialect, extendedSecurity } = termsOf(options)
  const dialects = dialectsBetween(minDialect, maxDialect)
  const smb1 = dialects.includes('NT1')
  if (!smb1 && options.multiProtocol !== true) return Smb2Connection.negotiate(transport, options)
  const offer = { smb1, extendedSecurity, dialects: dialects.filter(isSmb2).map(name => DIALECT[name]) }
  try {
    const frame = await within(options.ioTimeoutMs, () => firstAnswer(transport, options.host, multiProtocolRequest(offer)), `negotiating with ${options.host}`)
    const chosen = multiProtocolAnswer(options.host, offer, frame)
    if (chosen !== 'NT1') return await Smb2Connection.negotiate(transport, options, chosen)
    const { Connection: Smb1Connection } = await import('./smb1/connection.ts')
    return Smb1Connection.accept(transport, options, frame)
  } catch (thrown) {
    await transport.finish(FIN_MS)
    throw asError(thrown)
  }
}

const FIN_MS = 500

function firstAnswer(transport: Transport, host: string, request: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = deferred<Buffer>()
  transport.start(resolve, cause => reject(cause ?? hungUp(host)))
  transport.send([request])
  return promise
}
