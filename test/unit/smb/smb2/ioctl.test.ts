import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from '../../../../src/base/wire.ts'
import { FSCTL, ioctlRequest, ioctlResponse, NO_FILE } from '../../../../src/smb/smb2/ioctl.ts'
import { VALIDATE_RESPONSE_SIZE, validateNegotiateRequest, validateNegotiateResponse } from '../../../../src/smb/smb2/validate-negotiate.ts'
import { codecContract } from '../../contract.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')
const GUID = hex('11111111222233334444555555555555')
const SERVER = Buffer.from('labsrv\0\0\0\0\0\0\0\0\0\0', 'latin1')

// [live] smb300_signed_cmac: smbprotocol asks Samba 4.17 to confirm
const INPUT = hex('4500000011111111222233334444555555555555020001000003')
const OUTPUT = hex('470000006c61627372760000000000000000000001000003')
codecContract(ioctlRequest, hex(`3900000004021400${'ff'.repeat(16)}780000001a0000000000000078000000000000001a0000000100000000000000${INPUT.toString('hex')}`), {
  code: FSCTL.VALIDATE_NEGOTIATE_INFO,
  fileId: NO_FILE,
  input: INPUT,
  maxOutput: 26,
})
codecContract(ioctlResponse, hex(`3100000004021400${'ff'.repeat(16)}700000000000000070000000180000000000000000000000${OUTPUT.toString('hex')}`), {
  code: FSCTL.VALIDATE_NEGOTIATE_INFO,
  fileId: NO_FILE,
  output: OUTPUT,
})
codecContract(validateNegotiateRequest, INPUT, { capabilities: 0x45, clientGuid: GUID, securityMode: 2, dialects: [0x300] })
codecContract(validateNegotiateResponse, OUTPUT, { capabilities: 0x47, serverGuid: SERVER, securityMode: 1, dialect: 0x300 })

test('the room that is left for a confirmation is its size', () => {
  assert.equal(OUTPUT.length, VALIDATE_RESPONSE_SIZE)
})

test('a list of dialects without end stops at the end of the message', () => {
  const endless = Buffer.from(INPUT)
  endless.writeUInt16LE(0xffff, 22)
  assert.throws(() => decode(validateNegotiateRequest, endless), { code: 'WIRE' })
})
