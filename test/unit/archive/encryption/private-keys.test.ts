import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  examinedBytes,
  refuseKeysInTheClear,
  withPrivateKeys,
  type Examined,
} from '../../../../src/archive/encryption/private-keys.ts'
import { NetopsError } from '../../../../src/model/errors.ts'

const file = (path: string, text: string, encoding: BufferEncoding = 'utf8'): Examined => ({
  path,
  beginning: Buffer.from(text, encoding),
})
const made = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (type: 'pkcs8' | 'sec1'): string => made.privateKey.export({ type, format: 'pem' }).toString()
const publicPem = made.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const locked = made.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString()

describe('a private key is found', () => {
  test.each([
    ['PKCS #8', file('a.key', pem('pkcs8'))],
    ['SEC 1', file('a.key', pem('sec1'))],
    ['with a passphrase', file('a.key', locked)],
    ['of RSA', file('a.key', '-----BEGIN RSA PRIVATE KEY-----\nMII')],
    ['of OpenSSH', file('id', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl')],
    ['of PGP', file('secring.asc', '-----BEGIN PGP PRIVATE KEY BLOCK-----\n')],
    ['of PuTTY', file('a.ppk', 'PuTTY-User-Key-File-3: ssh-ed25519\n')],
    ['an identity of age', file('backup.txt', `# created\nAGE-SECRET-KEY-1${'Q'.repeat(58)}\n`)],
    ['a JSON web key', file('jwk.json', '{ "kty": "OKP", "crv": "Ed25519", "d": "nWGx", "x": "11qY" }')],
    ['behind certificates', file('site.pem', `${'-----BEGIN CERTIFICATE-----\nMII\n'.repeat(100)}${pem('pkcs8')}`)],
    ['at the end of what is looked at', file('long.pem', `${' '.repeat(examinedBytes - 400)}${pem('pkcs8')}`)],
    ['indented, inside YAML', file('config.yaml', `tls:\n  key: |\n    ${pem('pkcs8').replaceAll('\n', '\n    ')}`)],
    ['as a string of JSON', file('config.json', JSON.stringify({ key: pem('pkcs8') }))],
    ['in UTF-16', file('a.txt', pem('pkcs8'), 'utf16le')],
    ['in a container that cannot be looked into', file('store.p12', '0\u0082')],
  ])('%s', (_, examined) => {
    expect(withPrivateKeys([examined])).toEqual([examined.path])
  })
})

test.each([
  ['a certificate', file('a.crt', '-----BEGIN CERTIFICATE-----\nMII')],
  ['a public key', file('a.pub', publicPem)],
  ['a public JSON web key', file('jwk.json', '{ "kty": "OKP", "crv": "Ed25519", "x": "11qY" }')],
  ['words about keys', file('README', 'Put the private key into server.key, which begins with BEGIN PRIVATE KEY.')],
  ['a recipient', file('r.txt', 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudgv5cwquxqhzk')],
  ['nothing', file('empty', '')],
])('is none: %s', (_, examined) => {
  expect(withPrivateKeys([examined])).toEqual([])
})

describe('a copy offsite', () => {
  const key = file('/etc/network/server.key', pem('pkcs8'))
  const plain = file('/etc/network_system/config.yaml', 'server: {}')

  test('with a key in it and no recipient is refused, by its name', () => {
    const refuse = (): void => refuseKeysInTheClear([plain, key], [])
    expect(refuse).toThrow(NetopsError)
    expect(refuse).toThrow(/\/etc\/network\/server\.key$/)
  })

  test('names a few of many', () => {
    const many = Array.from({ length: 9 }, (_, at) => ({ ...key, path: `/k${at}` }))
    expect(() => refuseKeysInTheClear(many, [])).toThrow(/\/k0, \/k1, \/k2, \/k3, \/k4 and 4 others$/)
  })

  test('goes with a recipient, or without keys', () => {
    expect(refuseKeysInTheClear([plain, key], ['age1x'])).toBeUndefined()
    expect(refuseKeysInTheClear([plain], [])).toBeUndefined()
  })
})
