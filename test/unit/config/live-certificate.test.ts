import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readChain } from '../../../src/config/credentials.ts'
import { brokenLink, judgeValidity } from '../../../src/config/live/certificate.ts'

const pem = readFileSync(join(import.meta.dirname, '../../fixtures/chain.pem'), 'utf8')
const certificates = (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map(
  (text) => new X509Certificate(text),
)
const [own, intermediate, root] = certificates
if (own === undefined || intermediate === undefined || root === undefined) throw new Error('the chain has three')

describe('how long a certificate is good', () => {
  const dates = { validFromDate: new Date('2026-01-01T00:00:00Z'), validToDate: new Date('2027-01-31T12:00:00Z') }
  it.each([
    [
      '2025-12-31T23:59:59Z',
      'problem',
      'the certificate is not valid before 2026-01-01T00:00:00.000Z; the clock of this host says 2025-12-31T23:59:59.000Z',
    ],
    ['2026-01-01T00:00:00Z', 'good', 'expires in 395 days (2027-01-31)'],
    ['2027-01-01T12:00:00Z', 'good', 'expires in 30 days (2027-01-31)'],
    ['2027-01-01T12:00:01Z', 'warning', 'expires in 29 days (2027-01-31)'],
    ['2027-01-30T12:00:00Z', 'warning', 'expires in 1 day (2027-01-31)'],
    ['2027-01-31T11:59:59Z', 'warning', 'expires in 0 days (2027-01-31)'],
    ['2027-01-31T12:00:00Z', 'problem', 'the certificate expired on 2027-01-31'],
    ['2027-01-31T12:00:01Z', 'problem', 'the certificate expired on 2027-01-31'],
  ])('says at %s: %s, %s', (now, kind, message) => {
    expect(judgeValidity(dates, new Date(now))).toEqual({
      path: 'security.cert_file',
      kind,
      message,
    })
  })
})

describe('the order of a chain', () => {
  it('is right where each certificate issued the one before, with and without the root', () => {
    expect(brokenLink([own, intermediate, root])).toBeUndefined()
    expect(brokenLink([own, intermediate])).toBeUndefined()
    expect(brokenLink([own])).toBeUndefined()
  })

  it('is wrong at the first certificate that did not issue the one before', () => {
    expect(brokenLink([own, root, intermediate])).toBe(
      '"Test Root" follows "service.example.com" and did not issue it: ' +
        'expected the certificate of the service first, then each that issued the one before',
    )
    expect(brokenLink([intermediate, own, root])).toMatch(/^"service.example.com" follows "Test Intermediate"/)
    expect(brokenLink([own, intermediate, intermediate])).toMatch(/^"Test Intermediate" follows "Test Intermediate"/)
  })

  it('is read from a file in its order, past what else stands there', () => {
    const read = readChain(Buffer.from(pem))
    const found = 'value' in read ? read.value.certificates : []
    expect(found.map(({ fingerprint256 }) => fingerprint256)).toEqual(
      certificates.map(({ fingerprint256 }) => fingerprint256),
    )
  })
})
