// The way of nearly all requests: a record that is there, asked for without conditions, and that can be read at once. It is
// answered before the router and its hooks, which take as long as the rest of it; whatever is different goes through them.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { bodyIsTold } from '../bodies.ts'
import { requestIdHeader, requestIdOf } from '../request-id.ts'
import { later, type RecordId } from '../store/port.ts'
import { holdAnswer } from './large-answers.ts'
import { headersOf } from './read.ts'
import type { RecordParts } from './routes.ts'
import { isName } from './schemas.ts'

/**
 * Answers what can be answered at once.
 * @returns what says whether a request was answered
 */
export function answersAtOnce({
  store: { getNow },
  answers,
}: RecordParts): (request: IncomingMessage, response: ServerResponse) => boolean {
  if (getNow === undefined) return () => false
  return (request, response) => {
    const { method, url, headers } = request
    if (method !== 'GET' || url === undefined) return false
    if (headers['if-match'] !== undefined || headers['if-none-match'] !== undefined || bodyIsTold(request)) return false
    const id = idIn(url)
    if (id === undefined) return false
    const record = getNow(id)
    if (record === undefined || record === later) return false
    const value = holdAnswer(response, record.value, answers)
    if (value === undefined) return false
    const told = headersOf(record)
    told.push(requestIdHeader, requestIdOf(request), 'content-length', `${Buffer.byteLength(value)}`)
    response.writeHead(200, told)
    response.end(value)
    return true
  }
}

const beginning = '/v1/records/'

/** The record at an address that needs no second look: plain names and nothing behind them. */
function idIn(url: string): RecordId | undefined {
  if (!url.startsWith(beginning)) return undefined
  const slash = url.indexOf('/', beginning.length)
  if (slash < 0) return undefined
  const [collection, key] = [url.slice(beginning.length, slash), url.slice(slash + 1)]
  return isName(collection) && isName(key) ? { collection, key } : undefined
}
