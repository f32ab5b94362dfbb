import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokenLink, judgeValidity, readChain } from '../../../src/config/live/certificate.ts'

const pem = readFileSync(join(import.meta.dirname, '../../fixtures/chain.pem'), 'utf8')
const certificates = (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map(
  (text) => new X509Certificate(text),
)
const [own, intermediate, root] = certificates
if (own === undefined || intermediate === undefined || root === undefined) throw new Error('the chain has three')

describe('how long a certificate is good', () => {
  const dates = { validFromDate: new Date('2026-01-01T00:00:00Z'), validToDate: new Date('2027-01-31T12:00:00Z') }
  it.each([
    ['2025-12-31T23:59:59Z', 'problem', 'is not valid before 2026-01-01'],
    ['2026-01-01T00:00:00Z', 'good', 'expires in 395 days (2027-01-31)'],
    ['2027-01-01T12:00:00Z', 'good', 'expires in 30 days (2027-01-31)'],
    ['2027-01-01T12:00:01Z', 'warning', 'expires in 29 days (2027-01-31)'],
    ['2027-01-30T12:00:00Z', 'warning', 'expires in 1 day (2027-01-31)'],
    ['2027-01-31T12:00:00Z', 'warning', 'expires in 0 days (2027-01-31)'],
    ['2027-01-31T12:00:01Z', 'problem', 'expired on 2027-01-31'],
  ])('says at %s: %s, %s', (now, kind, message) => {
    expect(judgeValidity(dates, new Date(now))).toEqual({ path: 'security.cert_file', kind, message })
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
    const read = readChain(pem)
    expect('chain' in read && read.chain.map(({ fingerprint256 }) => fingerprint256)).toEqual(
      certificates.map(({ fingerprint256 }) => fingerprint256),
    )
  })
})

describe('a file that holds no certificate', () => {
  it.each([
    ['', 'the file holds no certificate in PEM form'],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', 'the file holds no certificate in PEM form'],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'a certificate that cannot be read: '],
  ])('is a problem: %j', (text, message) => {
    expect(readChain(text)).toEqual({
      finding: {
        path: 'security.cert_file',
        kind: 'problem',
        message: expect.stringContaining(message) as string,
      },
    })
  })
})
