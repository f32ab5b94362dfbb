// The API as OpenAPI 3.1 describes it, made from the schemas that check requests.
import * as z from 'zod'
import { problemType } from './problem.ts'
import {
  collectionPath,
  conditionalRead,
  etag,
  listed,
  listQuery,
  problem,
  recordPath,
  requestId,
  writeHeaders,
  written,
} from './records/schemas.ts'

export interface ApiFacts {
  /** Of the server. */
  readonly version: string
  /** Whether requests need a token. */
  readonly tokens: boolean
  /** The longest body, in bytes. */
  readonly maxRequestSize: number
}

type Json = Readonly<Record<string, unknown>>

/** The document, as plain data; the same for the same facts. */
export const openApiOf = ({ version, tokens, maxRequestSize }: ApiFacts): Json => ({
  openapi: '3.1.0',
  info: {
    title: 'network_server',
    version,
    description:
      'Records by collection and key. A write is answered when it is on the disk. A write without an answer may have happened or not: it is sent again with its Idempotency-Key.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/' }],
  ...(tokens ? { security: [{ bearer: [] }] } : {}),
  paths: {
    '/v1/records/{collection}': {
      parameters: parametersOf(collectionPath, 'path'),
      get: {
        ...{ operationId: 'listRecords', summary: 'The records of a collection, page by page.' },
        parameters: parametersOf(listQuery, 'query'),
        responses: {
          ...{ 200: answer('A page. A collection that nobody wrote to is empty.', [], 'Page') },
          ...problems(tokens, [400, 503]),
        },
      },
    },
    '/v1/records/{collection}/{key}': {
      parameters: parametersOf(recordPath, 'path'),
      get: {
        ...{ operationId: 'getRecord', summary: 'A record. HEAD gives the same without its value.' },
        parameters: parametersOf(conditionalRead, 'header'),
        responses: {
          200: answer('The record, as it was written.', ['ETag', 'Last-Modified'], 'Value'),
          304: answer('What the client has is still what is there.', ['ETag']),
          ...problems(tokens, [400, 404, 412, 503]),
        },
      },
      put: {
        ...{ operationId: 'putRecord', summary: 'Writes a record, whole.' },
        parameters: parametersOf(writeHeaders, 'header'),
        requestBody: {
          required: true,
          description: `One JSON value in UTF-8 of at most ${maxRequestSize} bytes, with at most 100 objects and lists within each other.`,
          content: jsonOf('Value'),
        },
        responses: {
          200: answer('It replaced the one that was there.', ['ETag', 'Idempotency-Replayed'], 'Written'),
          201: answer('There was none before.', ['ETag', 'Idempotency-Replayed'], 'Written'),
          ...problems(tokens, [400, 412, 413, 415, 422, 503]),
        },
      },
      delete: {
        ...{ operationId: 'deleteRecord', summary: 'Deletes a record.' },
        parameters: parametersOf(writeHeaders, 'header'),
        responses: {
          204: answer('There is none any more.', ['Idempotency-Replayed']),
          ...problems(tokens, [400, 404, 412, 413, 415, 422, 503]),
        },
      },
    },
  },
  components: {
    schemas: {
      Value: { description: 'Any JSON value.' },
      Written: schemaOf(written, 'output'),
      Page: schemaOf(listed, 'output'),
      Problem: schemaOf(problem, 'output'),
    },
    headers: headers(),
    responses: problemResponses(),
    ...(tokens ? { securitySchemes: { bearer } } : {}),
  },
})

const bearer = {
  ...{ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  description: 'Signed with HS256, with exp. Idempotency keys belong to its sub.',
}

const ref = (kind: 'schemas' | 'headers' | 'responses', name: string): Json => ({
  $ref: `#/components/${kind}/${name}`,
})

/** JSON Schema 2020-12, which is OpenAPI 3.1's own (its 4.8.24). */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const made = z.toJSONSchema(schema, { io })
  delete made.$schema
  return made
}

function parametersOf(schema: z.ZodObject, place: 'path' | 'query' | 'header'): readonly Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' })
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as { readonly description?: string }
    return {
      name: place === 'header' ? inCapitals(name) : name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

/** As headers are usually written; their case means nothing (RFC 9110, 5.1). */
const inCapitals = (name: string): string => name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())

const headers = (): Json => ({
  ETag: { description: 'Strong: the same one, the same bytes.', schema: schemaOf(etag, 'output') },
  'Last-Modified': { description: 'When the record was written last.', schema: { type: 'string' } },
  'Idempotency-Replayed': {
    description:
      'true where an earlier request with the same Idempotency-Key had done this, and nothing more was done.',
    schema: { type: 'string', const: 'true' },
  },
  'X-Request-Id': {
    description: "The request's name, for complaints and logs.",
    schema: schemaOf(requestId, 'output'),
  },
  'Retry-After': { description: 'In seconds.', schema: { type: 'string' } },
  'WWW-Authenticate': { description: 'RFC 6750, 3.', schema: { type: 'string' } },
})

type HeaderName =
  'ETag' | 'Last-Modified' | 'Idempotency-Replayed' | 'X-Request-Id' | 'Retry-After' | 'WWW-Authenticate'

const jsonOf = (schema: string): Json => ({ 'application/json': { schema: ref('schemas', schema) } })

const answer = (description: string, names: readonly HeaderName[], schema?: string): Json => ({
  description,
  headers: Object.fromEntries(['X-Request-Id' as const, ...names].map((name) => [name, ref('headers', name)])),
  ...(schema === undefined ? {} : { content: jsonOf(schema) }),
})

const problemTexts: Readonly<Record<number, string>> = {
  400: 'Something in the request is not what this document says.',
  401: 'There is no token, or not a good one.',
  403: 'Only TLS is answered here.',
  404: 'There is no such record.',
  412: 'The condition does not hold: somebody else has written meanwhile. Nothing was done.',
  413: 'The body is too large.',
  415: 'The body is not JSON by its Content-Type.',
  422: 'The Idempotency-Key came with another request before. Nothing was done.',
  503: 'Not now: the detail says why. A write may have happened.',
}

const headersOfProblem: Readonly<Record<number, readonly HeaderName[]>> = {
  401: ['WWW-Authenticate'],
  503: ['Retry-After'],
}

const problemResponses = (): Json =>
  Object.fromEntries(
    Object.entries(problemTexts).map(([status, description]) => [
      `Problem${status}`,
      {
        ...answer(description, headersOfProblem[Number(status)] ?? []),
        content: { [problemType]: { schema: ref('schemas', 'Problem') } },
      },
    ]),
  )

/** What every operation may answer besides, and these. */
const problems = (tokens: boolean, statuses: readonly number[]): Json =>
  Object.fromEntries(
    [...statuses, ...(tokens ? [401] : []), 403].map((status) => [status, ref('responses', `Problem${status}`)]),
  )
