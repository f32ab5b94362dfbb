import { describe, expect, test } from 'vitest'
import { isPassing } from '../../../../src/drivers/storage/retry.ts'
import { toldS3 } from '../../../../src/drivers/storage/s3-errors.ts'

const where = { place: 's3://copies/web1', bucket: 'copies', region: 'eu-1', endpoint: 'https://s3.example.com' }
const told = (fields: object, message = 'words') =>
  toldS3(Object.assign(new Error(message), fields), 'storing a.tar', where, ['hush-hush'])
const answered = (httpStatusCode: number, name: string) => ({ name, $metadata: { httpStatusCode } })

test.each([
  [
    'a clock that is wrong',
    answered(403, 'RequestTimeTooSkewed'),
    'failed',
    /clock and the service's are more than 15 minutes/,
  ],
  ['a session that has run out', answered(400, 'ExpiredToken'), 'usage', /session token has run out/],
  ['a key without the right', answered(403, 'AccessDenied'), 'failed', /refused: words/],
  ['a quota that is used up', answered(403, 'QuotaExceeded'), 'failed', /no space left/],
  ['a full disk', answered(507, 'InsufficientStorage'), 'failed', /no space left/],
  [
    'another region',
    { ...answered(301, 'PermanentRedirect'), $response: { headers: { 'x-amz-bucket-region': 'us-2' } } },
    'usage',
    /is in the region us-2, not in eu-1/,
  ],
  ['a certificate that is not good', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'usage', /certificate is not good/],
  ['what is no S3', { name: 'SyntaxError' }, 'failed', /gives no answer of S3/],
  ['something new', answered(418, 'Teapot'), 'failed', /the service says 418 Teapot/],
])('%s is told with what to do', (_, error, code, words) => {
  const { message, hint, code: is } = told(error)
  expect(is).toBe(code)
  expect(message).toMatch(words)
  expect(message).toContain('s3://copies/web1: storing a.tar: ')
  if (!/Teapot/.test(message)) expect(hint).toBeDefined()
})

describe('it is tried again', () => {
  test.each([
    answered(503, 'SlowDown'),
    answered(500, 'InternalError'),
    answered(502, 'BadGateway'),
    answered(400, 'RequestTimeout'),
    answered(400, 'BadDigest'),
    answered(400, 'XAmzContentSHA256Mismatch'),
    // The library has set its clock by the answer.
    answered(403, 'RequestTimeTooSkewed'),
    { code: 'ECONNRESET' },
    { name: 'TimeoutError' },
  ])('after %j', (error) => {
    expect(isPassing(told(error))).toBe(true)
  })

  test.each([answered(403, 'AccessDenied'), answered(404, 'NoSuchBucket'), answered(403, 'SignatureDoesNotMatch')])(
    'not after %j',
    (error) => {
      expect(isPassing(told(error))).toBe(false)
    },
  )
})

test('no secret and no control character gets into it', () => {
  const { message, hint, stack } = told(answered(400, 'Odd'), 'you sent hush-hush \u001b[31m and more')
  expect(`${message}${hint ?? ''}${stack ?? ''}`).not.toContain('hush')
  expect(message).toContain('you sent *** \\x1b[31m and more')
})
