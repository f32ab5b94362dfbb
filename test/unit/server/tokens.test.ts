import { beforeEach, expect, test } from 'vitest'
import { createTokenCheck } from '../../../src/server/tokens.ts'
import { makeToken } from '../../support/json-web-token.ts'

const key = 'k'.repeat(32)
const seconds = 1_800_000_000
let passed = 0
const now = () => new Date((seconds + passed) * 1000)
const check = await createTokenCheck({ key: Buffer.from(key), issuer: 'network_system', now })

const token = (
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
  signedWith = key,
) => makeToken({ header, claims: { exp: seconds + 60, ...claims }, key: signedWith })
const unsigned = (text: string) => text.slice(0, text.lastIndexOf('.') + 1)

beforeEach(() => void (passed = 0))

test.each([
  ['is signed with the key, of the issuer and not expired', `Bearer ${token()}`],
  ['comes with the scheme in another case', `bearer ${token()}`],
  ['is good for one more second', `Bearer ${token({ exp: seconds + 1 })}`],
  ['says more than is asked for', `Bearer ${token({ sub: 'x', aud: 'y', nbf: seconds })}`],
])('lets a request in whose token %s', async (_why, header) => {
  expect(await check(header)).toBeDefined()
  // And again, when it is known.
  expect(await check(header)).toBeDefined()
})

test.each([
  ['no header', undefined],
  ['an empty header', ''],
  ['another scheme', `Basic ${token()}`],
  ['no scheme', token()],
  ['no token', 'Bearer '],
  ['rubbish', 'Bearer a.b.c'],
  ['two tokens', `Bearer ${token()} ${token()}`],
  ['something behind the token', `Bearer ${token()}, x`],
  ['alg none and no signature', `Bearer ${unsigned(token({}, { alg: 'none' }))}`],
  ['alg none and a signature', `Bearer ${token({}, { alg: 'none' })}`],
  ['another algorithm', `Bearer ${token({}, { alg: 'HS512' })}`],
  ['no signature', `Bearer ${unsigned(token())}`],
  ['another key', `Bearer ${token({}, {}, 'x'.repeat(32))}`],
  ['another issuer', `Bearer ${token({ iss: 'other' })}`],
  ['no issuer', `Bearer ${token({ iss: undefined })}`],
  ['an exp that is past', `Bearer ${token({ exp: seconds - 1 })}`],
  ['an exp that is now', `Bearer ${token({ exp: seconds })}`],
  ['no exp', `Bearer ${token({ exp: undefined })}`],
  ['an exp in words', `Bearer ${token({ exp: String(seconds + 60) })}`],
  ['a time before it holds', `Bearer ${token({ nbf: seconds + 30 })}`],
  ['a sub that is no text', `Bearer ${token({ sub: 5 })}`],
  ['an extension that must be understood', `Bearer ${token({}, { crit: ['x'], x: 1 })}`],
])('keeps a request out with %s', async (_what, header) => {
  expect(await check(header)).toBeUndefined()
  expect(await check(header)).toBeUndefined()
})

test('a good token is known by its sub, at once from the second time on, and until its exp', async () => {
  const header = `Bearer ${token({ sub: 'ada' })}`
  expect(check(header)).toBeInstanceOf(Promise)
  expect(await check(header)).toEqual({ subject: 'ada' })
  passed = 59
  expect(check(header)).toEqual({ subject: 'ada' })
  passed = 60
  expect(await check(header)).toBeUndefined()
  expect(await check(`Bearer ${token({ exp: seconds + 100 })}`)).toEqual({ subject: '' })
})

test('what was found bad is not remembered, nor is a token that is longer than they are', async () => {
  const early = `Bearer ${token({ nbf: seconds + 30 })}`
  expect(await check(early)).toBeUndefined()
  passed = 30
  expect(await check(early)).toEqual({ subject: '' })
  const long = `Bearer ${token({ sub: 'x'.repeat(1000) })}`
  expect(await check(long)).toBeDefined()
  expect(check(long)).toBeInstanceOf(Promise)
})

test('of very many tokens those that are used stay known', async () => {
  const used = `Bearer ${token({ sub: 'used' })}`
  await check(used)
  for (let index = 0; index < 12_000; index += 1) {
    await check(`Bearer ${token({ sub: `once-${index}` })}`)
    if (index % 1000 === 0) expect(check(used)).toEqual({ subject: 'used' })
  }
  expect(check(`Bearer ${token({ sub: 'once-11999' })}`)).toEqual({ subject: 'once-11999' })
  expect(check(`Bearer ${token({ sub: 'once-0' })}`)).toBeInstanceOf(Promise)
})
