// What went wrong with a query, sorted by what can be done about it.
import { StoreUnavailable } from '../port.ts'

export type Trouble =
  /** The connection is gone or not to be trusted any more: what was sent may have happened. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** The server cannot do it now; nothing happened. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** Nothing happened because of another transaction: worth another try. */
  | { readonly kind: 'again' }
  /** This connection's prepared statements fit no more; nothing happened. */
  | { readonly kind: 'stale' }
  /** Whom we took for the master takes no writes; nothing happened. */
  | { readonly kind: 'read-only' }
  /** A fault of ours. */
  | { readonly kind: 'fault' }

/** A query that failed, with what pg threw as its cause. */
export class QueryFailed extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble, cause: unknown) {
    super(cause instanceof Error ? cause.message : 'the query failed', { cause })
    this.name = 'QueryFailed'
    this.trouble = trouble
  }
}

/** Thrown by our own clock, when a server does not answer. */
export class NoAnswer extends Error {
  constructor(limitMs: number) {
    super(`no answer within ${limitMs} ms`)
    this.name = 'NoAnswer'
  }
}

const notInTime = 'the database does not answer in time'
export const takesNoWrites = 'the database takes no writes now'
const unreachable = 'the database cannot be reached'
const notTrusted = 'the certificate of the database is not trusted'

// Node.js documentation, TLS, X509 certificate error codes, and the one for another name than the one that was asked.
const certificateCodes: ReadonlySet<string> = new Set([
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_CRL', 'UNABLE_TO_DECRYPT_CERT_SIGNATURE'],
  ...['UNABLE_TO_DECRYPT_CRL_SIGNATURE', 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'CERT_SIGNATURE_FAILURE'],
  ...['CRL_SIGNATURE_FAILURE', 'CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED', 'CRL_NOT_YET_VALID', 'CRL_HAS_EXPIRED'],
  ...['ERROR_IN_CERT_NOT_BEFORE_FIELD', 'ERROR_IN_CERT_NOT_AFTER_FIELD', 'ERROR_IN_CRL_LAST_UPDATE_FIELD'],
  ...['ERROR_IN_CRL_NEXT_UPDATE_FIELD', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_CHAIN_TOO_LONG', 'CERT_REVOKED'],
  ...['INVALID_CA', 'PATH_LENGTH_EXCEEDED', 'INVALID_PURPOSE', 'CERT_UNTRUSTED', 'CERT_REJECTED'],
  ...['HOSTNAME_MISMATCH', 'ERR_TLS_CERT_ALTNAME_INVALID'],
])

/** Why there was not even a login, for clients. */
function unreachedBecause(cause: unknown): string {
  const { code } = fieldsOf(cause)
  if (code !== undefined && certificateCodes.has(code)) return notTrusted
  if (!(cause instanceof Error)) return unreachable
  // pg tells these two by their words alone.
  if (cause.message === 'timeout expired') return notInTime
  return cause.message === 'The server does not support SSL connections'
    ? 'the database does not speak TLS, and it is required'
    : unreachable
}

// PostgreSQL documentation, Appendix A. By the whole code, else by its class (the first two characters).
const byCode: Readonly<Record<string, Trouble>> = {
  '0A000': { kind: 'stale' }, // cached plan must not change result type
  '26000': { kind: 'stale' }, // invalid_sql_statement_name
  '40001': { kind: 'again' },
  '40P01': { kind: 'again' },
  '23505': { kind: 'again' },
  '25006': { kind: 'read-only' },
  '42501': { kind: 'unavailable', reason: "the database's user lacks a right" },
  '3F000': { kind: 'unavailable', reason: 'the database has no data schema' },
  '42P01': { kind: 'unavailable', reason: 'the database has no data schema' },
  '42883': { kind: 'unavailable', reason: 'the database has no data schema' },
  '53100': { kind: 'unavailable', reason: 'the disk of the database is full' },
  '53300': { kind: 'unavailable', reason: 'the database takes no more connections' },
  '3D000': { kind: 'unavailable', reason: 'the database does not exist' },
  '55P03': { kind: 'unavailable', reason: notInTime },
  '57014': { kind: 'unavailable', reason: notInTime },
  '57P03': { kind: 'unavailable', reason: 'the database is starting or stopping' },
}
const byClass: Readonly<Record<string, Trouble>> = {
  '08': { kind: 'lost', reason: 'the connection to the database broke' },
  '28': { kind: 'unavailable', reason: 'the database refuses the login' },
  '53': { kind: 'unavailable', reason: 'the database lacks resources' },
  '57': { kind: 'lost', reason: 'the database is stopping' },
  '58': { kind: 'unavailable', reason: 'the database cannot use its disk' },
  F0: { kind: 'unavailable', reason: 'the database is not configured right' },
  XX: { kind: 'unavailable', reason: 'the database reports an error of its own' },
}

/** What a thrown error of pg means. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof QueryFailed) return error.trouble
  if (error instanceof NoAnswer) return { kind: 'lost', reason: notInTime }
  const { code, severity } = fieldsOf(error)
  // No SQLSTATE: it is the socket, or pg itself, that speaks.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code) || severity === undefined) {
    return { kind: 'lost', reason: 'the connection to the database broke' }
  }
  const known = byCode[code] ?? byClass[code.slice(0, 2)] ?? { kind: 'fault' }
  // After FATAL and PANIC the server hangs up, whatever the reason was.
  if (severity !== 'FATAL' && severity !== 'PANIC') return known
  return { kind: 'lost', reason: 'reason' in known ? known.reason : 'the connection to the database broke' }
}

/** Why no connection could be made, for clients. */
export function connectFault(error: unknown): StoreUnavailable {
  const cause = error instanceof QueryFailed ? error.cause : error
  if (cause instanceof StoreUnavailable) return cause
  const { severity } = fieldsOf(cause)
  if (severity === undefined) {
    return new StoreUnavailable(cause instanceof NoAnswer ? notInTime : unreachedBecause(cause), { cause })
  }
  const trouble = troubleOf(cause)
  return new StoreUnavailable('reason' in trouble ? trouble.reason : 'the database cannot be used', { cause })
}

/** What the store's callers get: StoreUnavailable, or a fault of ours as it is. */
export function toUnavailable(error: unknown): unknown {
  if (!(error instanceof QueryFailed)) return error
  const { trouble } = error
  switch (trouble.kind) {
    case 'lost':
    case 'unavailable':
      return new StoreUnavailable(trouble.reason, { cause: error.cause })
    case 'read-only':
      return new StoreUnavailable(takesNoWrites, { cause: error.cause })
    case 'again':
    case 'stale':
      return new StoreUnavailable('others change the same record too often', { cause: error.cause })
    case 'fault':
      return error
  }
}

/** pg's errors carry the fields of PostgreSQL's message; those of sockets have a `code` and no `severity`. */
function fieldsOf(error: unknown): { readonly code?: string; readonly severity?: string } {
  if (!(error instanceof Error)) return {}
  return {
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...('severity' in error && typeof error.severity === 'string' ? { severity: error.severity } : {}),
  }
}
