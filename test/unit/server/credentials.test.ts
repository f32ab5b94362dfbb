import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseServerConfig } from '../../../src/config/server-config.ts'
import type { NetopsError } from '../../../src/model/errors.ts'
import { readChain, readKey, readSecret, validityFault } from '../../../src/config/credentials.ts'
import { expiryNotes, loadCredentials } from '../../../src/server/credentials.ts'
import { makeCertificate, openssl } from '../../support/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'netops-credentials-'))
afterAll(() => rmSync(folder, { recursive: true }))

const root = makeCertificate(folder, 'root', { ca: true })
const own = makeCertificate(folder, 'own', { by: root })
const other = makeCertificate(folder, 'other')
const small = makeCertificate(folder, 'small', { algorithm: ['rsa:1024'] })
const encrypted = join(folder, 'encrypted.key')
openssl('pkey', '-in', own.key, '-aes256', '-passout', 'pass:word', '-out', encrypted)
const secret = 's3cr3t-'.repeat(6)

const bytesOf = (...files: readonly string[]) => Buffer.concat(files.map((file) => readFileSync(file)))
const day = 86_400_000
const inDays = (days: number) => new Date(Date.now() + days * day)

describe('a certificate’s file', () => {
  it.each([
    ['nothing', Buffer.from(''), 0, 'it holds no certificate in PEM form'],
    ['a key', bytesOf(own.key), 0, 'it holds no certificate in PEM form'],
    [
      'damage in the chain',
      Buffer.concat([bytesOf(own.cert), Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')]),
      0,
      'certificate 2 in it is damaged',
    ],
    ['a certificate out of date', bytesOf(own.cert), 400, 'the certificate expired on '],
    ['a certificate of the future', bytesOf(own.cert), -1, 'the certificate is not valid before '],
  ])('is refused with %s', (_what, bytes, days, reason) => {
    const chain = readChain(bytes)
    const found = 'value' in chain ? validityFault(chain.value.certificates[0], inDays(days)) : chain
    expect(found).toMatchObject({ reason: expect.stringContaining(reason) as string })
  })

  it('may say what it likes between the certificates', () => {
    const bytes = Buffer.concat([Buffer.from('own\r\n'), bytesOf(own.cert), Buffer.from('root\n'), bytesOf(root.cert)])
    expect(readChain(bytes)).toMatchObject({ value: { certificates: [{}, {}] } })
  })

  it.each([
    [0, []],
    [334, []],
    [
      340,
      ['the certificate expires on DATE, within 25 days', 'certificate 2 of the chain expires on DATE, within 25 days'],
    ],
    [
      364.5,
      ['the certificate expires on DATE, within a day', 'certificate 2 of the chain expires on DATE, within a day'],
    ],
    [366, ['the certificate expired on DATE', 'certificate 2 of the chain expired on DATE']],
  ])('is worth a note in the 30 days before its end (after %d of 365 days)', (days, notes) => {
    const chain = readChain(bytesOf(own.cert, root.cert))
    const told = 'value' in chain ? expiryNotes(chain.value.certificates, inDays(days)) : ['refused']
    expect(told.map((note) => note.replace(/\d{4}-\d\d-\d\d/, 'DATE'))).toEqual(notes)
  })
})

describe('a key’s file', () => {
  it.each([
    ['nothing', Buffer.from(''), 'it holds no private key in PEM form'],
    ['a certificate', bytesOf(own.cert), 'it holds no private key in PEM form'],
    ['a passphrase', bytesOf(encrypted), 'it is encrypted, and nobody is there to enter a passphrase'],
  ])('is refused with %s', (_what, bytes, reason) => {
    expect(readKey(bytes)).toMatchObject({ reason })
  })
})

describe('a secret’s file', () => {
  const bytes = Buffer.from('x'.repeat(32))

  it.each([
    ['', 0],
    ['\n', 0],
    ['\r\n', 0],
    ['\n\n', 1],
    [' ', 1],
  ])('is the key without one newline at its end (%j leaves %d more)', (end, more) => {
    expect(readSecret(Buffer.concat([bytes, Buffer.from(end)]))).toMatchObject({ value: { length: 32 + more } })
  })

  it('may hold any bytes', () => {
    const random = Buffer.from(Array.from({ length: 40 }, (_, index) => 255 - index))
    expect(readSecret(random)).toEqual({ value: random })
  })

  it.each(['', '\n', `${'x'.repeat(31)}\n`])('is refused below 32 bytes: %j', (text) => {
    expect(readSecret(Buffer.from(text))).toMatchObject({ reason: 'it holds fewer than 32 bytes (RFC 7518, 3.2)' })
  })
})

describe('the credentials of a configuration', () => {
  const files: Record<string, Buffer> = {
    '/own.crt': bytesOf(own.cert, root.cert),
    '/own.key': bytesOf(own.key),
    '/root.key': bytesOf(root.key),
    '/other.key': bytesOf(other.key),
    '/small.crt': bytesOf(small.cert),
    '/small.key': bytesOf(small.key),
    '/jwt': Buffer.from(`${secret}\n`),
    '/short': Buffer.from('hunter2'),
  }
  const read = (path: string): Buffer => {
    const bytes = files[path]
    if (bytes === undefined) throw Object.assign(new Error('none'), { code: 'ENOENT' })
    return bytes
  }
  const load = (text: string, instead: Readonly<Record<string, string>> = {}, root = '/') =>
    loadCredentials(parseServerConfig(text, 'config.yaml'), {
      ...{ root, read, now: new Date() },
      instead: new Map(Object.entries(instead)),
    })
  const tls = (cert: string, key: string) => `security: { ssl_enabled: true, cert_file: ${cert}, key_file: ${key} }\n`
  const auth = (file: string) => `auth: { jwt_secret_file: ${file} }\n`
  const refusal = (act: () => unknown): NetopsError => {
    try {
      act()
    } catch (error) {
      return error as NetopsError
    }
    throw new Error('was not refused')
  }

  it('are nothing while nothing is enabled, and no file is read', () => {
    const text = 'security: { auth: none, cert_file: /none, key_file: /none }\nauth: { jwt_secret_file: /none }\n'
    expect(load(text)).toEqual({ tls: undefined, tokenKey: undefined, notes: [] })
    expect(load('').tokenKey).toBeUndefined()
  })

  it('are what TLS speaks and what tokens are signed with', () => {
    const { tls: options, tokenKey, notes } = load(tls('/own.crt', '/own.key') + auth('/jwt'))
    expect(options).toMatchObject({ minVersion: 'TLSv1.2', ciphers: 'ECDHE+AESGCM:ECDHE+AES256:!aNULL:!MD5:!DSS' })
    expect(Buffer.from(tokenKey ?? []).toString()).toBe(secret)
    expect(notes).toEqual([])
  })

  it('may have the secret from the configuration itself', () => {
    expect(load(`auth: { jwt_secret: ${secret} }`).tokenKey).toEqual(Buffer.from(secret))
  })

  it.each([
    [tls('/own.crt', '/other.key'), 'security.key_file: /other.key: it is not the key of the certificate in /own.crt'],
    [
      tls('/own.crt', '/root.key'),
      'security.key_file: /root.key: it is the key of certificate 2 in /own.crt: that one must be the first',
    ],
    [tls('/none.crt', '/own.key'), 'security.cert_file: /none.crt: there is no such file'],
    [tls('/small.crt', '/small.key'), 'security.cert_file: /small.crt: OpenSSL refuses it: ee key too small'],
    [auth('/short'), 'auth.jwt_secret_file: /short: it holds fewer than 32 bytes (RFC 7518, 3.2)'],
    [
      tls('/own.key', '/own.crt') + auth('/none'),
      [
        'security.cert_file: /own.key: it holds no certificate in PEM form',
        'security.key_file: /own.crt: it holds no private key in PEM form',
        'auth.jwt_secret_file: /none: there is no such file',
      ].join('\n'),
    ],
  ])('are refused with key, file and reason: %j', (text, message) => {
    expect(refusal(() => load(text))).toMatchObject({ code: 'usage', message })
  })

  it('are never quoted', () => {
    const pem = Object.values(files).map((bytes) => bytes.toString())
    for (const text of [tls('/jwt', '/jwt') + auth('/short'), tls('/own.crt', '/jwt'), tls('/own.key', '/other.key')]) {
      const { message, hint, stack } = refusal(() => load(text))
      for (const line of pem.flatMap((whole) => whole.split('\n')).filter((one) => /^[^-]{7}/.test(one))) {
        expect(`${message}${hint ?? ''}${stack ?? ''}`).not.toContain(line)
      }
    }
  })

  it('lie below the root', () => {
    files['/srv/x/jwt'] = Buffer.from('y'.repeat(32))
    expect(load(auth('/jwt'), {}, '/srv/x').tokenKey).toEqual(Buffer.from('y'.repeat(32)))
    expect(refusal(() => load(auth('/none'), {}, '/srv/x')).message).toContain('/srv/x/none: there is no such file')
  })

  it('are read from elsewhere where that is said, by the path of the configuration and not below the root', () => {
    expect(load(auth('/later'), { '/later': '/jwt' }, '/srv/x').tokenKey).toEqual(Buffer.from(secret))
    expect(refusal(() => load(auth('/jwt'), { '/jwt': '/short' })).message).toBe(
      'auth.jwt_secret_file: /jwt (read from /short): it holds fewer than 32 bytes (RFC 7518, 3.2)',
    )
  })

  it('come with a note on a file that was to be read from elsewhere and is not read at all', () => {
    expect(load(auth('/jwt'), { '/jtw': '/own.key' }).notes).toEqual([
      '--instead /jtw: this configuration does not read that file',
    ])
  })
})
