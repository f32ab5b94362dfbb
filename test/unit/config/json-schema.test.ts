// The published schemas against the code: the same tables accepted and refused, by another validator than ours.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { checkFleetFile } from '../../../src/config/fleet-file.ts'
import { jsonSchemaOf, schemaNames, type SchemaName } from '../../../src/config/json-schema.ts'
import { serverKeys } from '../../../src/config/server-keys.ts'
import { checkServerConfig } from '../../../src/config/server-config.ts'
import { readYaml } from '../../../src/config/yaml.ts'
import { badFleetFiles, badServerFiles, type BadFile } from '../../support/bad-config.ts'
import { goodFleetFiles, goodServerFiles } from '../../support/good-config.ts'

function validatorOf(name: SchemaName): ValidateFunction {
  // Patterns say what the formats would.
  const ajv = new Ajv2020({
    allErrors: true,
    allowUnionTypes: true,
    strictRequired: false,
    strictTypes: false,
    formats: { ipv4: true, ipv6: true },
  })
  return ajv.compile(jsonSchemaOf(name))
}
const validators = { server: validatorOf('server'), fleet: validatorOf('fleet') }

/** What a validator is given; undefined for a text that is not YAML at all. */
const valueIn = (text: string): { readonly value: unknown } | undefined => {
  const parsed = readYaml(text)
  return 'document' in parsed ? { value: parsed.document.value ?? {} } : undefined
}

describe.each([
  ['server', badServerFiles, goodServerFiles],
  ['fleet', badFleetFiles, goodFleetFiles],
] as const)('the schema of the %s file', (name, bad, good) => {
  const validate = validators[name]
  const readable = bad.flatMap((row) => {
    const read = valueIn(row.text)
    return read === undefined ? [] : [{ ...row, value: read.value }]
  })

  it.each(readable.map((row: BadFile & { value: unknown }) => [row.text, row.value, row.beyondSchema] as const))(
    'refuses what the code refuses, where a schema can say it: %j',
    (_, value, beyondSchema) => {
      expect(validate(value)).toBe(beyondSchema)
    },
  )

  it.each(good)('accepts what the code accepts: %j', (text) => {
    const checked = name === 'server' ? checkServerConfig(text, 'config.yaml') : checkFleetFile(text, 'netops.yml')
    expect('problems' in checked ? checked.problems : []).toEqual([])
    expect([validate(valueIn(text)?.value), validate.errors]).toEqual([true, null])
  })
})

it('every key says what it is for, and so do the published schemas', () => {
  expect(serverKeys().filter(({ about }) => about.length < 10)).toEqual([])
  const sections = Object.values(jsonSchemaOf('server').properties as Record<string, { properties?: object }>)
  const keys = sections.flatMap(({ properties = {} }) => Object.values(properties) as { description?: string }[])
  expect(keys.length).toBe(serverKeys().length)
  expect(keys.filter(({ description }) => description === undefined)).toEqual([])
  expect(schemaNames.map((name) => jsonSchemaOf(name).$schema)).toEqual(
    Array.from({ length: 2 }, () => 'https://json-schema.org/draft/2020-12/schema'),
  )
})
