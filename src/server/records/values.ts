// Values of records: JSON in UTF-8, kept as it was sent.
import { isUtf8 } from 'node:buffer'

/** Objects and lists within each other. Programs that walk through values recursively need a bound. */
const deepest = 100

export type JsonText = { readonly text: string } | { readonly reason: string }

/**
 * The text of a body, where it is one JSON value (RFC 8259). It is not changed: numbers keep their digits, objects their
 * order, and what was sent is what comes back.
 */
export function readJsonText(body: Uint8Array): JsonText {
  if (!isUtf8(body)) return { reason: 'the body is not UTF-8' }
  if (isTooDeep(body)) return { reason: `the body has more than ${deepest} objects and lists within each other` }
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  try {
    JSON.parse(text)
    return { text }
  } catch {
    // V8's reasons quote the body, which belongs neither into logs nor into the answer.
    return { reason: 'the body is not JSON' }
  }
}

const [quote, backslash] = [0x22, 0x5c]
// [ and {, ] and }: each pair differs in this bit alone.
const curly = 0x20
const [opening, closing] = [0x5b, 0x5d]

/** Looked at before anything is made of it. Of what is no JSON it may say anything. */
function isTooDeep(body: Uint8Array): boolean {
  let depth = 0
  let inText = false
  for (let index = 0; index < body.length; index += 1) {
    const byte = body[index] ?? 0
    if (inText) {
      if (byte === backslash) index += 1
      else if (byte === quote) inText = false
    } else if (byte === quote) inText = true
    else if ((byte & ~curly) === opening) {
      depth += 1
      if (depth > deepest) return true
    } else if ((byte & ~curly) === closing) depth -= 1
  }
  return false
}

// RFC 9110, 8.3.1 and RFC 8259, 11: JSON has no parameters; a charset is common all the same, and says UTF-8 or is wrong.
const json = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*)?$/i

/** What answers in JSON are; with the charset that Fastify would put to it each time. */
export const jsonType = 'application/json; charset=utf-8'

/** Whether a Content-Type says JSON. */
export const isJson = (contentType: string | undefined): boolean => json.test(contentType ?? '')
