// ETags and conditions of requests (RFC 9110, 8.8.3 and 13).
import type { Condition } from '../store/port.ts'
import type { WriteHeaders } from './schemas.ts'

/** The ETag of a version: strong, for what comes back is what was sent, byte by byte. */
export const etagOf = (version: number): string => `"${version}"`

// A weak one is not equal to any in a strong comparison (RFC 9110, 8.8.3.2), and others than ours stand for nothing here.
const versionsIn = (header: string): readonly number[] => {
  const texts = [...header.matchAll(/(W\/)?"([^"]*)"/g)].flatMap(([, weak, text = '']) =>
    weak === undefined ? [text] : [],
  )
  return [...new Set(texts.filter((text) => /^[1-9]\d{0,15}$/.test(text)).map(Number))].filter(Number.isSafeInteger)
}

/** What must be so for a write; undefined where its headers contradict each other. */
export function conditionOf(headers: WriteHeaders): Condition | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers
  if (match !== undefined && noneMatch !== undefined) return undefined
  if (noneMatch !== undefined) return { kind: 'absent' }
  if (match === undefined) return { kind: 'always' }
  return match === '*' ? { kind: 'present' } : { kind: 'versions', versions: versionsIn(match) }
}

/** Whether what a client has is still what is there (RFC 9110, 13.1.2); its ETags may be weak. */
export function isUnchanged(ifNoneMatch: string, etag: string): boolean {
  // Nearly always one ETag, as it was given.
  if (ifNoneMatch === etag || ifNoneMatch.trim() === '*') return true
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([given]) => given === etag)
}

/** Whether a read is to happen (RFC 9110, 13.1.1). */
export const isMatched = (ifMatch: string, version: number): boolean =>
  ifMatch.trim() === '*' || versionsIn(ifMatch).includes(version)
