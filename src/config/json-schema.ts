// The published JSON Schemas (2020-12) of both configuration files, made from the schemas that check them.
import * as z from 'zod'
import { inventorySchema } from '../model/inventory.ts'
import { serverConfigSchema } from '../model/server-config.ts'

export const schemaNames = ['server', 'fleet'] as const
export type SchemaName = (typeof schemaNames)[number]

type Json = Record<string, unknown>

interface Condition {
  readonly type: 'object'
  readonly properties: Json
}

/** Says that where one key has this value, others are needed or ruled out. */
const needs = (section: string, when: Condition, then: Json): Json => ({
  if: { required: [section], properties: { [section]: { ...when, required: Object.keys(when.properties) } } },
  then: { properties: { [section]: then } },
})
const is = (name: string, value: unknown): Condition => ({ type: 'object', properties: { [name]: { const: value } } })
const has = (name: string): Condition => ({ type: 'object', properties: { [name]: {} } })

// Those of the rules between keys (model/server-rules.ts) that JSON Schema can say: it knows no sums and no other file.
const serverRules: readonly Json[] = [
  needs('security', is('ssl_enabled', true), { required: ['cert_file', 'key_file'] }),
  needs('security', has('cert_file'), { required: ['key_file'] }),
  needs('security', has('key_file'), { required: ['cert_file'] }),
  needs('security', is('require_tls', true), {
    required: ['ssl_enabled'],
    properties: { ssl_enabled: { const: true } },
  }),
  needs('security', has('allowed_origins'), {
    properties: { allowed_origins: { if: { contains: { const: '*' } }, then: { maxItems: 1 } } },
  }),
  needs('auth', has('jwt_secret'), { properties: { jwt_secret_file: false } }),
  needs('database', has('password'), { properties: { password_file: false } }),
  needs('database', has('ssl_ca_file'), { properties: { ssl_mode: { const: 'verify-full' } } }),
  needs('database', is('ssl_mode', 'verify-full'), { required: ['ssl_ca_file'] }),
  needs('database', has('read_replicas'), {
    if: { not: { required: ['driver'], properties: { driver: { const: 'postgres' } } } },
    then: { properties: { read_replicas: { maxItems: 0 } } },
  }),
]

const fleetRules: readonly Json[] = [
  { anyOf: [{ required: ['hosts'], properties: { hosts: { minProperties: 1 } } }, { required: ['hosts_from'] }] },
]

/** The JSON Schema of a file. The same keys give the same text. */
export function jsonSchemaOf(name: SchemaName): Json {
  const schema = name === 'server' ? serverConfigSchema : inventorySchema
  const made = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema, zodSchema }) => adjust(jsonSchema, zodSchema),
  })
  return {
    ...made,
    $id: `urn:netops:schema:${name}`,
    title: name === 'server' ? 'config.yaml of network_server' : 'netops.yml',
    allOf: name === 'server' ? serverRules : fleetRules,
  }
}

/** As {@link jsonSchemaOf}, as the text of a file. */
export const jsonSchemaText = (name: SchemaName): string => `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`

/** A section without keys may be empty, which YAML reads as null; and what zod calls read-only is not so for a file. */
function adjust(json: z.core.JSONSchema.BaseSchema, schema: z.core.$ZodTypes): void {
  delete json.readOnly
  if (isSection(schema)) json.type = ['object', 'null'] as never
  if (schema instanceof z.ZodObject && json.required !== undefined) {
    const shape = schema.shape as Readonly<Record<string, z.core.$ZodTypes>>
    const required = json.required.filter((name) => !isSection(shape[name]))
    if (required.length > 0) json.required = required
    else delete json.required
  }
}

const isSection = (schema: z.core.$ZodTypes | undefined): boolean =>
  schema instanceof z.ZodPipe &&
  schema.in instanceof z.ZodTransform &&
  (schema.out instanceof z.ZodLazy || schema.out instanceof z.ZodReadonly || schema.out instanceof z.ZodObject)
