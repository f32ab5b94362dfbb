import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  authoritiesFor,
  judgeHostKey,
  knownKeyTypes,
  linesFor,
  parseKnownHosts,
} from '../../../../src/drivers/hosts/ssh-known-hosts.ts'

/** A public key in the wire format, of this type and with this body. */
function keyOf(type: string, body: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(type.length)
  return Buffer.concat([length, Buffer.from(type), Buffer.from(body)])
}
const key = keyOf('ssh-ed25519', 'one')
const other = keyOf('ssh-ed25519', 'two')
const rsa = keyOf('ssh-rsa', 'three')
const line = (names: string, of = key): string =>
  `${names} ${of === rsa ? 'ssh-rsa' : 'ssh-ed25519'} ${of.toString('base64')} comment`
const hashed = (name: string): string => {
  const salt = randomBytes(20)
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
}
const linesOf = (text: string, host: string, port: number) => linesFor(parseKnownHosts(text, 'known_hosts'), host, port)
const known = { kind: 'known' }
const unknown = { kind: 'unknown' }

describe('the verdict on a host key', () => {
  test.each<[string, string, string, number, object]>([
    ['a plain name', line('web1'), 'web1', 22, known],
    ['one of several names', line('lb1,web1,10.0.0.1'), '10.0.0.1', 22, known],
    ['a name in other letters', line('Web1'), 'wEB1', 22, known],
    ['a hashed name', line(hashed('web1')), 'web1', 22, known],
    ['a hashed name with a port', line(hashed('[web1]:2222')), 'web1', 2222, known],
    ['another hashed name', line(hashed('web2')), 'web1', 22, unknown],
    ['a name with a port', line('[web1]:2222'), 'web1', 2222, known],
    ['the same name without its port', line('web1'), 'web1', 2222, known],
    ['another key for the name without its port', line('web1', other), 'web1', 2222, unknown],
    ['the same name with another port', line('[web1]:2222'), 'web1', 22, unknown],
    ['a wildcard', line('*.example.com'), 'web1.example.com', 22, known],
    ['a wildcard for one letter', line('web?'), 'web1', 22, known],
    ['a wildcard that does not fit', line('web?'), 'web10', 22, unknown],
    ['a point, which is no wildcard', line('a.b'), 'axb', 22, unknown],
    ['a negated name', line('web*,!web1'), 'web1', 22, unknown],
    ['a name beside a negated one', line('web*,!web1'), 'web2', 22, known],
    ['a negated name on another line', `${line('web*,!web1')}\n${line('web1')}`, 'web1', 22, known],
    [
      'an authority, whose certificates are judged by themselves',
      `@cert-authority ${line('web1')}`,
      'web1',
      22,
      unknown,
    ],
    ['comments and empty lines', `# ${line('web1')}\n\n   \n`, 'web1', 22, unknown],
    ['half a line', 'web1 ssh-ed25519', 'web1', 22, unknown],
    ['an empty file', '', 'web1', 22, unknown],
    [
      'another key of the same type',
      `#\n${line('web1', other)}`,
      'web1',
      22,
      { kind: 'changed', file: 'known_hosts', line: 2 },
    ],
    ['a key of another type only', line('web1', rsa), 'web1', 22, { kind: 'changed', file: 'known_hosts', line: 1 }],
    ['keys of two types', `${line('web1', rsa)}\n${line('web1')}`, 'web1', 22, known],
    [
      'a changed key beside another type',
      `${line('web1', rsa)}\n${line('web1', other)}`,
      'web1',
      22,
      { kind: 'changed', file: 'known_hosts', line: 2 },
    ],
    ['two keys of one type', `${line('web1', other)}\n${line('web1')}`, 'web1', 22, known],
    ['the key revoked', `@revoked ${line('web1')}`, 'web1', 22, { kind: 'revoked', file: 'known_hosts', line: 1 }],
    [
      'the key on file and revoked',
      `${line('web1')}\n@revoked ${line('*')}`,
      'web1',
      22,
      { kind: 'revoked', file: 'known_hosts', line: 2 },
    ],
    ['another key revoked', `@revoked ${line('web1', other)}\n${line('web1')}`, 'web1', 22, known],
  ])('with %s on file', (...[, text, host, port, verdict]) => {
    expect(judgeHostKey(linesOf(text, host, port), key)).toEqual(verdict)
  })
})

test('the key types on file are those of the host, each once', () => {
  const text = [line('web1', rsa), line('web1'), line('web1', other), line('web2'), `@revoked ${line('web1')}`].join(
    '\n',
  )
  expect(knownKeyTypes(linesOf(text, 'web1', 22))).toEqual(['ssh-rsa', 'ssh-ed25519'])
  expect(knownKeyTypes(linesOf(text, 'web3', 22))).toEqual([])
})

test('the authorities of a host are those of its names, but no revoked one', () => {
  const text = [
    `@cert-authority ${line('*.example.com')}`,
    `@cert-authority ${line('web1.example.com', other)}`,
    `@revoked ${line('*', other)}`,
  ].join('\n')
  expect(authoritiesFor(linesOf(text, 'web1.example.com', 22))).toEqual([key.toString('base64')])
  expect(authoritiesFor(linesOf(text, 'web1.example.com', 2222))).toEqual([key.toString('base64')])
  expect(authoritiesFor(linesOf(text, 'web1.example.org', 22))).toEqual([])
})
