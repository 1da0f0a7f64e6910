import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictTypes: false, strictRequired: false, validateFormats: false })

function schema(name: string): ValidateFunction {
  return ajv.compile(JSON.parse(readFileSync(new URL(`../../docs/${name}.schema.json`, import.meta.url), 'utf8')))
}

const EVENT = schema('events')
const RECEIPT = schema('receipt')
const DOCTOR = schema('doctor')

/** Why a line of `--events` is not what docs/events.schema.json says; empty where it is. */
export function faultsOfEvent(line: unknown): string[] {
  return faults(EVENT, line)
}

export function faultsOfReceipt(receipt: unknown): string[] {
  return faults(RECEIPT, receipt)
}

export function faultsOfDoctor(report: unknown): string[] {
  return faults(DOCTOR, report)
}

/** Each line as it must be; returns their types. */
export function typesOf(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map(line => {
      const event = JSON.parse(line) as { type: string }
      assert.deepEqual(faultsOfEvent(event), [], line)
      return event.type
    })
}

function faults(validate: ValidateFunction, value: unknown): string[] {
  return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message = '' }) => `${instancePath} ${message}`)
}
