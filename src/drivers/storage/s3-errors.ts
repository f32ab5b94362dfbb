// What an S3 service, or the way to it, said went wrong: in words, with what to do. Nothing of a request gets into them.
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { shownText } from '../../model/escape.ts'
import { PassingFault } from './retry.ts'

export interface S3Where {
  /** `s3://bucket/prefix`. */
  readonly place: string
  readonly bucket: string
  readonly region: string
  readonly endpoint: string
}

/** What the answer to a request was. */
interface Answer {
  /** `NoSuchBucket`, or the name of the error of whoever made the request. */
  readonly name: string
  readonly status: number | undefined
  /** The region that the bucket is in, where it is another. */
  readonly region: string | undefined
  readonly words: string
}

const field = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
const textAt = (value: unknown, key: string): string | undefined => {
  const found = field(value, key)
  return typeof found === 'string' && found !== '' ? found : undefined
}

const mostWords = 300

function answerOf(error: unknown, hidden: readonly string[]): Answer {
  const headers = field(field(error, '$response'), 'headers')
  const status = field(field(error, '$metadata'), 'httpStatusCode')
  const name = textAt(error, 'Code') ?? textAt(error, 'name') ?? 'Error'
  // A service may say again what it was sent.
  const said = hidden.reduce((text, secret) => text.replaceAll(secret, '***'), messageOf(error))
  return {
    name,
    status: typeof status === 'number' && status > 0 ? status : undefined,
    region:
      textAt(headers, 'x-amz-bucket-region') ?? textAt(error, 'Region') ?? /expecting '([a-z0-9-]+)'/.exec(said)?.[1],
    words: shownText(said.slice(0, mostWords)),
  }
}

/** Whether it is a refusal, of which a service that may not be looked into says nothing more. */
export const isForbidden = (error: unknown): boolean => field(field(error, '$metadata'), 'httpStatusCode') === 403
/** Whether it is a refusal to a request whose answer has no body, where the reason would stand. */
export const saysNotWhy = (error: unknown): boolean =>
  [301, 400, 403].includes(Number(field(field(error, '$metadata'), 'httpStatusCode')))
export const isMissing = (error: unknown): boolean =>
  field(field(error, '$metadata'), 'httpStatusCode') === 404 && !isNamed(error, 'NoSuchBucket', 'NoSuchUpload')
export const isNamed = (error: unknown, ...names: readonly string[]): boolean =>
  names.includes(textAt(error, 'Code') ?? textAt(error, 'name') ?? '')
/** Whether the service does not know of what it was asked. */
export const isUnknownThere = (error: unknown): boolean =>
  isNamed(error, 'NotImplemented', 'MethodNotAllowed') ||
  [405, 501].includes(Number(field(field(error, '$metadata'), 'httpStatusCode')))

// Amazon S3 API Reference, "Error responses"; and what arrives damaged, which another try may not.
const passing = new Set([
  ...['InternalError', 'OperationAborted', 'RequestTimeout', 'ServiceUnavailable', 'SlowDown', 'Throttling'],
  ...['ThrottlingException', 'TooManyRequestsException', 'RequestTimeTooSkewed'],
  ...['BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch'],
])
const passingStatus = new Set([408, 429, 500, 502, 503, 504])
const lost = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'ENOTFOUND'],
  ...['TimeoutError', 'ERR_STREAM_PREMATURE_CLOSE'],
])

/**
 * A failed request in words.
 * @param what what was asked, for people: `storing a.tar`
 * @param hidden what must not be in them
 */
export function toldS3(error: unknown, what: string, where: S3Where, hidden: readonly string[]): NetopsError {
  if (error instanceof NetopsError) return error
  const answer = answerOf(error, hidden)
  const { message, hint, code } = explain(answer, where, error)
  const told = { message: `${where.place}: ${what}: ${message}`, hint }
  if (code === 'unreachable') return new NetopsError(code, told)
  const isPassing = passing.has(answer.name) || passingStatus.has(answer.status ?? 0)
  return isPassing ? new PassingFault(code, told) : new NetopsError(code, told)
}

interface Explained {
  readonly message: string
  readonly hint?: string
  readonly code: 'usage' | 'failed' | 'damaged' | 'unreachable'
}

const credentialsHint =
  'look at access_key and secret_key of offsite: the file or variable they come from, and whose they are'

function explain({ name, status, region, words }: Answer, where: S3Where, error: unknown): Explained {
  switch (name) {
    case 'InvalidAccessKeyId':
      return { code: 'usage', message: 'the service does not know this access key', hint: credentialsHint }
    case 'SignatureDoesNotMatch':
      return { code: 'usage', message: 'the secret key does not belong to the access key', hint: credentialsHint }
    case 'ExpiredToken':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
      return { code: 'usage', message: 'the session token has run out', hint: 'get a new one, with its keys' }
    case 'NoSuchBucket':
      return {
        code: 'usage',
        message: `there is no bucket ${where.bucket} at ${where.endpoint}`,
        hint: 'make it, or look at the bucket, the endpoint and the region of offsite',
      }
    case 'RequestTimeTooSkewed':
      return {
        code: 'failed',
        message: "this machine's clock and the service's are more than 15 minutes apart",
        hint: 'set the clock, and have it follow a time source: timedatectl set-ntp true',
      }
    case 'BadDigest':
    case 'XAmzContentSHA256Mismatch':
    case 'IncompleteBody':
      return {
        code: 'damaged',
        message: 'what arrived is not what was sent',
        hint: 'something on the way there changes it',
      }
    case 'QuotaExceeded':
    case 'XMinioStorageFull':
    case 'InsufficientStorage':
      return { code: 'failed', message: 'no space left there', hint: 'let more expire, or have the quota raised' }
  }
  if (region !== undefined && region !== where.region) {
    return {
      code: 'usage',
      message: `the bucket ${where.bucket} is in the region ${region}, not in ${where.region}`,
      hint: `set the region of offsite to ${region}`,
    }
  }
  if (status === 507) return { code: 'failed', message: 'no space left there', hint: 'let more expire' }
  if (status === 401 || status === 403) {
    const hint =
      'the key needs the right to do this (storing takes s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts)'
    return { code: 'failed', message: `refused: ${words}`, hint }
  }
  if (status === undefined) return unreached(error, words, where)
  // Only a service that is there and out of order is worth waiting for.
  if (passingStatus.has(status)) return { code: 'unreachable', message: `the service says ${status} ${name}: ${words}` }
  return { code: 'failed', message: `the service says ${status} ${name}: ${words}` }
}

function unreached(error: unknown, words: string, { endpoint }: S3Where): Explained {
  const code = systemCode(error) ?? textAt(error, 'name') ?? ''
  const hint = `is it there, and is it S3? try: curl -sS -o /dev/null -w '%{http_code}\\n' ${endpoint}`
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) {
    return {
      code: 'usage',
      message: `its certificate is not good: ${words}`,
      hint: `see it: openssl s_client -connect ${new URL(endpoint).host}`,
    }
  }
  // What is no answer of S3 comes as an error of whoever tried to read it.
  if (lost.has(code) || /socket hang up|timed? ?out|aborted|closed|EPIPE|ECONN/i.test(words)) {
    return { code: 'unreachable', message: `cannot reach ${endpoint}: ${words}`, hint }
  }
  return { code: 'failed', message: `${endpoint} gives no answer of S3: ${words}`, hint }
}

/** An answer that broke off while it was read. */
export const toldLost = (error: unknown, what: string, { place, endpoint }: S3Where): NetopsError =>
  new NetopsError('unreachable', {
    message: `${place}: ${what}: the connection to ${endpoint} broke off: ${shownText(messageOf(error).slice(0, mostWords))}`,
  })
