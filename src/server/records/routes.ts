// /v1/records: single values by key, with conditions against lost updates and keys against repeated ones.
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { subjectOf } from '../guard.ts'
import type { Condition, Idempotency, RecordId, Store, StoredRecord, Write, WriteOutcome } from '../store/port.ts'
import { errorHandler, parsed, Refusal, sendProblemReply } from './answers.ts'
import { conditionOf, etagOf, isMatched, isUnchanged } from './conditions.ts'
import { sendText, type AnswerBudget } from './large-answers.ts'
import { headersOf, mayBeKept } from './read.ts'
import { cursorAfter, isName, keyOf, listQuery, nameWords, writeHeaders } from './schemas.ts'
import { isJson, jsonType, readJsonText } from './values.ts'

export interface RecordParts {
  readonly store: Store
  /** What large answers may hold in memory. */
  readonly answers: AnswerBudget
}

const collectionRoute = '/v1/records/:collection'
const recordRoute = `${collectionRoute}/:key`

interface AtCollection {
  readonly Params: { readonly collection: string }
}
interface AtRecord {
  readonly Params: RecordId
}
type RecordRequest = FastifyRequest<AtRecord>

/** Serves the records of a store. */
export function addRecordRoutes(app: FastifyInstance, parts: RecordParts): void {
  const { store } = parts
  app.get<AtRecord>(recordRoute, { errorHandler }, (request, reply) => getRecord(parts, request, reply))
  app.get<AtCollection>(collectionRoute, { errorHandler }, (request, reply) => listRecords(parts, request, reply))
  // Whatever is wrong with the head is told before the body is read.
  const [put, remove] = [begin('PUT'), begin('DELETE')]
  app.put<AtRecord>(recordRoute, { errorHandler, onRequest: put }, (request, reply) => putRecord(store, request, reply))
  app.delete<AtRecord>(recordRoute, { errorHandler, onRequest: remove }, (request, reply) =>
    deleteRecord(store, request, reply),
  )
}

// Nearly all that are for a record that is there do not come here (at-once.ts).
async function getRecord(
  { store, answers }: RecordParts,
  request: RecordRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { params, headers } = request
  if (!isName(params.collection) || !isName(params.key)) return sendProblemReply(reply, 400, wrongName(params))
  const record = await store.get(params)
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined && (record === undefined || !isMatched(ifMatch, record.version)))
    return sendProblemReply(reply, 412, conditionFailed)
  if (record === undefined) return sendProblemReply(reply, 404, noRecord)
  const etag = etagOf(record.version)
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined && isUnchanged(ifNoneMatch, etag))
    return reply.header('etag', etag).header('cache-control', mayBeKept).code(304).send()
  return sendText(reply, { text: record.value, headers: headersOf(record) }, answers)
}

const noRecord = 'there is no record of this key'
const conditionFailed = 'the record is not as the request expects it'

const wrongName = ({ collection }: RecordId): string =>
  `${isName(collection) ? 'key' : 'collection'}: expected ${nameWords}`

async function listRecords(
  { store, answers }: RecordParts,
  request: FastifyRequest<AtCollection>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { collection } = request.params
  if (!isName(collection)) throw new Refusal(400, `collection: expected ${nameWords}`)
  const { prefix, limit, cursor } = parsed(listQuery, request.query)
  const after = cursor === undefined ? '' : (keyOf(cursor) ?? '')
  const { records, more } = await store.list({ collection, prefix, after, limit })
  const last = records.at(-1)
  const next = more && last !== undefined ? `,"next":"${cursorAfter(last.key)}"` : ''
  const text = `{"items":[${records.map(itemText).join()}]${next}}`
  return sendText(reply, { text, headers: ['cache-control', mayBeKept, 'content-type', jsonType] }, answers)
}

// Values are texts of JSON already, and keys need no escape.
const itemText = ({ key, value, version, updatedMs }: StoredRecord): string =>
  `{"key":"${key}","etag":"\\"${version}\\"","updated":"${new Date(updatedMs).toISOString()}","value":${value}}`

/** A write whose head was accepted. */
interface Begun {
  readonly condition: Condition
  readonly idempotencyKey: string | undefined
}

const begunOf = new WeakMap<FastifyRequest, Begun>()

const begin =
  (method: 'PUT' | 'DELETE') =>
  (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    begunOf.set(request, acceptHead(method, request))
    done()
  }

function acceptHead(method: 'PUT' | 'DELETE', { params, headers }: FastifyRequest): Begun {
  const id = params as RecordId
  if (!isName(id.collection) || !isName(id.key)) throw new Refusal(400, wrongName(id))
  const asked = parsed(writeHeaders, headers)
  if (headers['if-unmodified-since'] !== undefined) {
    // Ignored, it would let a write happen that was not to: times of a second tell too little of writes.
    throw new Refusal(400, 'if-unmodified-since: not known here: use If-Match')
  }
  if (method === 'PUT' && !isJson(headers['content-type'])) {
    throw new Refusal(415, 'content-type: expected application/json')
  }
  if (headers['content-encoding'] !== undefined) throw new Refusal(415, 'content-encoding: none is known here')
  const condition = conditionOf(asked)
  if (condition === undefined) throw new Refusal(400, 'expected only one of If-Match and If-None-Match')
  return { condition, idempotencyKey: asked['idempotency-key'] }
}

async function putRecord(store: Store, request: RecordRequest, reply: FastifyReply): Promise<FastifyReply> {
  const read = readJsonText(Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0))
  if ('reason' in read) throw new Refusal(400, read.reason)
  return answerWrite(await store.write(writeOf(request, read.text)), request, reply)
}

async function deleteRecord(store: Store, request: RecordRequest, reply: FastifyReply): Promise<FastifyReply> {
  return answerWrite(await store.write(writeOf(request, undefined)), request, reply)
}

function writeOf(request: RecordRequest, value: string | undefined): Write {
  const { collection, key } = request.params
  const { condition, idempotencyKey } = begunOf.get(request) ?? acceptHead('DELETE', request)
  const write = { collection, key, value, condition }
  if (idempotencyKey === undefined) return write
  return { ...write, idempotency: idempotencyOf(write, idempotencyKey, subjectOf(request.raw)) }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Neither part of a key can be longer than databases like, or hold characters that they do not take. */
const idempotencyOf = (write: Write, key: string, subject: string): Idempotency => ({
  key: `${subject === '' ? '' : hashOf(subject)} ${key}`,
  request: hashOf(
    JSON.stringify([
      write.value === undefined ? 'DELETE' : 'PUT',
      write.collection,
      write.key,
      write.condition,
      write.value,
    ]),
  ),
})

function answerWrite(outcome: WriteOutcome, request: RecordRequest, reply: FastifyReply): FastifyReply {
  if ('repeated' in outcome && outcome.repeated) reply.header('idempotency-replayed', 'true')
  switch (outcome.kind) {
    case 'created':
    case 'replaced':
      return reply
        .code(outcome.kind === 'created' ? 201 : 200)
        .header('etag', etagOf(outcome.version))
        .header('content-type', jsonType)
        .send(`{"key":"${request.params.key}","etag":"\\"${outcome.version}\\""}`)
    case 'deleted':
      return reply.code(204).send()
    case 'missing':
      return sendProblemReply(reply, 404, noRecord)
    case 'condition-failed':
      return sendProblemReply(reply, 412, conditionFailed)
    case 'key-reused':
      return sendProblemReply(reply, 422, 'idempotency-key: it was sent with another request before')
  }
}
