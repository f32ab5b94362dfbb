// Keeps secrets out of the log: values under telling names, tokens and passwords inside texts, queries of addresses.

const hidden = '[redacted]'

// Fields of this kind hold secrets whatever their value looks like.
const telling = /authorization|cookie|secret|passw(?:or)?d|passphrase|token|credential|api[-_]?key|private[-_]?key/i

// A line is for reading; what is longer is cut. Nobody can log a body or a chain of a thousand causes by mistake.
const longestText = 16_384
const deepest = 6
const mostItems = 100

// Each of these takes time in proportion to the text: no two places in it can begin the same match.
const bearer = /\b(bearer|basic)\s+[^\s"',;]+/gi
// RFC 7519: a JSON Web Token begins with the base64url of `{"`.
const jsonWebToken = /(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*/g
const assigned = /(?<![\w.-])([\w.-]{1,64})=([^\s"'&,;]+)/g
const quoted = /"([\w.-]{1,64})"(\s{0,4}:\s{0,4})"(?:[^"\\]|\\.)*"/g
const userInfo = /:\/\/[^\s/@:]*:[^\s/@]+@/g
const query = /\?[^\s"'<>]+/g

/** The same text without what looks like a secret, cut at 16,384 characters. */
export function safeText(text: string): string {
  const cut = text.length > longestText ? `${text.slice(0, longestText)}…` : text
  return cut
    .replace(bearer, `$1 ${hidden}`)
    .replace(jsonWebToken, hidden)
    .replace(query, (found) => (found.includes('=') ? `?${hidden}` : found))
    .replace(assigned, (found, name: string) => (telling.test(name) ? `${name}=${hidden}` : found))
    .replace(quoted, (found, name: string, colon: string) =>
      telling.test(name) ? `"${name}"${colon}"${hidden}"` : found,
    )
    .replace(userInfo, `://${hidden}@`)
}

/** The same value as plain JSON without secrets; errors with their type, message, stack, code and cause. */
export function safeValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return safeText(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
    case 'undefined':
      return value
    case 'object':
      return value === null ? null : depth >= deepest ? '[deeper]' : safeObject(value, depth)
    case 'bigint':
    case 'symbol':
    case 'function':
      return String(value).slice(0, 100)
  }
}

function safeObject(value: object, depth: number): unknown {
  if (value instanceof Error) return safeError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, mostItems).map((item) => safeValue(item, depth + 1))
  return safeFields(value, depth)
}

/** @param reserved names that are left out */
export function safeFields(fields: object, depth = 0, reserved: readonly string[] = []): Record<string, unknown> {
  const safe: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const [name, value] of Object.entries(fields).slice(0, mostItems)) {
    if (!reserved.includes(name)) safe[name] = telling.test(name) ? hidden : safeValue(value, depth + 1)
  }
  return safe
}

function safeError(error: Error, depth: number): Record<string, unknown> {
  const { stack, cause } = error
  const code: unknown = 'code' in error ? error.code : undefined
  return {
    type: error.name,
    message: safeText(error.message),
    ...(typeof stack === 'string' ? { stack: safeText(stack) } : {}),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause === undefined ? {} : { cause: safeValue(cause, depth + 1) }),
  }
}
