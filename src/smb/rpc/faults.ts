import { NbtrunError, type Code } from '../../base/errors.ts'

/** What a fault carries: [C706] appendix E, and the Win32 errors that Windows puts there. */
const FAULTS: ReadonlyMap<number, readonly [name: string, code: Code]> = new Map([
  [0x0000_0005, ['ERROR_ACCESS_DENIED', 'ACCESS_DENIED']],
  [0x0000_06d1, ['RPC_S_PROCNUM_OUT_OF_RANGE', 'SERVER_REFUSED']],
  [0x0000_06e4, ['RPC_S_CANNOT_SUPPORT', 'SERVER_REFUSED']],
  [0x0000_06f7, ['RPC_X_BAD_STUB_DATA', 'SERVER_REFUSED']],
  [0x1c01_0002, ['nca_s_op_rng_error', 'SERVER_REFUSED']],
  [0x1c01_0003, ['nca_s_unk_if', 'SERVER_REFUSED']],
  [0x1c01_0006, ['nca_s_fault_ndr', 'SERVER_REFUSED']],
  [0x1c01_000b, ['nca_s_proto_error', 'SERVER_REFUSED']],
  [0x1c01_0013, ['nca_s_out_args_too_big', 'SERVER_REFUSED']],
  [0x1c01_0014, ['nca_s_server_too_busy', 'SERVER_REFUSED']],
  [0x1c00_001a, ['nca_s_fault_context_mismatch', 'SERVER_REFUSED']],
])

/** How a server says that it knows no such procedure: as DCE has it, as Windows has it, and as impacket does. */
export const OP_RANGE_ERROR = 0x1c01_0002
export const UNKNOWN_CALL: ReadonlySet<unknown> = new Set([OP_RANGE_ERROR, 0x0000_06d1, 0x0000_06e4])

/** A fault as an error; `facts.fault` is its status. */
export function faultError(status: number, who: string): NbtrunError {
  const [name, code] = FAULTS.get(status) ?? [`fault 0x${status.toString(16).padStart(8, '0')}`, 'SERVER_REFUSED']
  return new NbtrunError(code, `${who} said ${name}`, { facts: { fault: status, name, errno: 'EIO' } })
}
