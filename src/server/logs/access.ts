// The access log: one line for each request that was answered or broke off, whatever answered it.
import { safeText } from './redact.ts'

/** One request, when it is over. */
export interface Access {
  readonly requestId: string
  /** The address at the other end of the connection: a proxy's, where there is one. */
  readonly client: string
  readonly method: string
  /** As it came. */
  readonly url: string
  /** Null where no answer was begun. */
  readonly status: number | null
  /** What was sent, with the head, in bytes. */
  readonly bytes: number
  /** From the end of the request's head to the end of the answer. */
  readonly durationMs: number
  /** Whether the connection broke before the answer was through. */
  readonly aborted: boolean
}

const longestPath = 2048
// Whatever has anything else in it is looked at more closely: for what safeText knows, and for what JSON escapes.
const harmless = /^(?!.*eyJ)[\w./~%:,;+-]*$/
const known = /^[\w.:~-]*$/

/** What the lines of a thread end with; thread: its number, absent for the main one. */
export const accessTail = (release: string, thread?: number): string =>
  `,"release":${JSON.stringify(release)}${thread === undefined ? '' : `,"thread":${thread}`}}\n`

/**
 * The line with its end.
 * @param tail as accessTail makes it
 */
export function accessLine(entry: Access, tail: string): string {
  const { requestId, client, method, status, bytes, durationMs, aborted } = entry
  // Put together by hand: there is one for every request.
  return (
    `{"time":"${timeNow()}","request_id":${quoted(requestId)},"client":${quoted(client)},"method":${quoted(method)},` +
    `"path":${pathText(entry.url)},"status":${status ?? 'null'},"bytes":${bytes},` +
    `"duration_ms":${durationMs.toFixed(3)},"aborted":${aborted}${tail}`
  )
}

const quoted = (text: string): string => (known.test(text) ? `"${text}"` : JSON.stringify(text))

/** Without its query, which may hold secrets of clients. */
function pathText(url: string): string {
  const query = url.indexOf('?')
  const whole = query < 0 ? url : url.slice(0, query)
  const path = whole.length > longestPath ? `${whole.slice(0, longestPath)}…` : whole
  return harmless.test(path) ? `"${path}"` : JSON.stringify(safeText(path))
}

let [lastMs, lastText] = [0, '']

function timeNow(): string {
  const now = Date.now()
  if (now !== lastMs) [lastMs, lastText] = [now, new Date(now).toISOString()]
  return lastText
}
