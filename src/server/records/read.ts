// What an answer says of the record that is in it.
import type { StoredRecord } from '../store/port.ts'
import { etagOf } from './conditions.ts'
import { jsonType } from './values.ts'

/** Of an answer that may be kept, but not used again without asking (RFC 9111, 5.2.2.4). */
export const mayBeKept = 'no-cache'

/** The headers of an answer with a record: names and values, in turn. */
export function headersOf({ version, updatedMs }: StoredRecord): string[] {
  const lastModified = dateText(updatedMs)
  return ['etag', etagOf(version), 'cache-control', mayBeKept, 'last-modified', lastModified, 'content-type', jsonType]
}

let [lastSecond, lastText] = [Number.NaN, '']

/** A time in ms since 1970 as headers have it (RFC 9110, 5.6.7). Who is asked for often was written in one second. */
function dateText(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) [lastSecond, lastText] = [second, new Date(ms).toUTCString()]
  return lastText
}
