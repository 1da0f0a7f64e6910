import { ROWS } from './options.ts'

/** The JSON schema of a profile, for editors. From the table of options. */
export function profileSchema(): object {
  const options = Object.fromEntries(
    ROWS.filter(([name]) => name !== 'profile' && name !== 'dry-run').map(([name, { kind, arg = '', alone, help }]) => {
      const words = /^[a-z]+(?:\|[a-z]+)+$/.test(arg) ? arg.split('|') : undefined
      const one =
        words !== undefined ? { enum: words } : arg === 'N' ? { type: 'integer' } : arg === 'TIME' ? { type: ['string', 'number'] } : { type: 'string' }
      const texts = { type: 'array', items: { type: 'string' } }
      const value = {
        flag: { type: 'boolean' },
        count: { type: 'integer', minimum: 0 },
        many: { anyOf: [{ type: 'string' }, texts] },
        one: arg === 'LIST' ? { anyOf: [{ type: 'string' }, texts] } : alone === undefined ? one : { type: ['string', 'boolean'] },
      }[kind]
      return [name, { description: help, ...value }]
    }),
  )
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'nbtrun profile',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      ...options,
      program: { description: 'what is run when the line names no program', type: 'array', items: { type: 'string' }, minItems: 1 },
      locked: {
        description: 'values that nobody can change; in /etc/nbtrun only',
        type: 'object',
        additionalProperties: false,
        properties: options,
      },
    },
  }
}
