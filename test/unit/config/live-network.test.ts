import { describe, expect, it } from 'vitest'
import { judgeAnswers, replicasOf } from '../../../src/config/live/database.ts'
import { problem, warning } from '../../../src/config/live/finding.ts'
import { addressToAsk, isInTheWay, listenersIn, plainAddress } from '../../../src/config/live/listeners.ts'
import { showAddress } from '../../../src/model/addresses.ts'
import { judgeListening, releaseInMetrics } from '../../../src/config/live/ports.ts'
import { judgeAnswer, type Answer } from '../../../src/config/live/postgres.ts'
import { parseServerConfig } from '../../../src/config/server-config.ts'

describe('the listeners of /proc/net', () => {
  it('are read in both families, and connections are left out', () => {
    const text = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 576 1 0 100 0 0 10 0',
      '   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 577 1 0 100 0 0 10 0',
      '   2: 0100007F:1F91 0100007F:8217 01 00000000:00000000 00:00000000 00000000     0        0 578 1 0 100 0 0 10 0',
    ].join('\n')
    const text6 = [
      '  sl  local_address                         remote_address                        st',
      '   0: 00000000000000000000000000000000:AE1B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0',
      '  11: 00000000000000000000000001000000:8D8D 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0',
      '  12: 0000000000000000FFFF00000100007F:8D8E 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0',
      '  13: B80D01200000000000000000010A0000:0001 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0',
    ].join('\n')
    expect(listenersIn(text)).toEqual([
      { address: '0.0.0.0', port: 2024 },
      { address: '127.0.0.1', port: 8080 },
    ])
    expect(listenersIn(text6)).toEqual([
      { address: '::', port: 44571 },
      { address: '::1', port: 36237 },
      { address: '127.0.0.1', port: 36238 },
      { address: '2001:db8::a01', port: 1 },
    ])
  })

  it.each([
    ['0.0.0.0', '0.0.0.0', 'surely'],
    ['127.0.0.1', '127.0.0.1', 'surely'],
    ['127.0.0.1', '0.0.0.0', 'surely'],
    ['0.0.0.0', '127.0.0.1', 'surely'],
    ['127.0.0.1', '127.0.0.2', 'no'],
    ['127.0.0.1', '::', 'surely'],
    ['::', '::1', 'surely'],
    ['::1', '::', 'surely'],
    ['::1', '::2', 'no'],
    ['::', '0.0.0.0', 'perhaps'],
    ['::', '127.0.0.1', 'perhaps'],
    ['::1', '127.0.0.1', 'no'],
    ['0.0.0.0', '::1', 'no'],
  ])('on %s are in the way of %s: %s', (has, wants, expected) => {
    expect(isInTheWay({ address: has, port: 80 }, { address: wants, port: 80 })).toBe(expected)
    expect(isInTheWay({ address: has, port: 81 }, { address: wants, port: 80 })).toBe('no')
  })

  it.each([
    ['127.0.0.2', '0.0.0.0', '127.0.0.2'],
    ['0.0.0.0', '192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0', '127.0.0.1'],
    ['::', '0.0.0.0', '127.0.0.1'],
    ['0.0.0.0', '::', '127.0.0.1'],
    ['::', '::', '::1'],
    ['::', '::2', '::2'],
    // /proc/net tells no zones.
    ['fe80::1', 'fe80::1%eth0', 'fe80::1%eth0'],
  ])('on %s, found in the way of %s, are asked at %s', (has, wants, expected) => {
    expect(addressToAsk({ address: has, port: 80 }, { address: wants, port: 80 })).toBe(expected)
  })

  it('are compared in one spelling', () => {
    expect(plainAddress('2001:DB8:0:0::1')).toBe('2001:db8::1')
    expect(plainAddress('::FFFF:127.0.0.1')).toBe('127.0.0.1')
    expect(plainAddress('127.0.0.1')).toBe('127.0.0.1')
    expect(plainAddress('FE80:0::1%eth0')).toBe('fe80::1%eth0')
    expect(isInTheWay({ address: 'fe80::1', port: 80 }, { address: 'fe80::1%eth0', port: 80 })).toBe('surely')
    expect([showAddress('::1', 80), showAddress('10.0.0.1', 80)]).toEqual(['[::1]:80', '10.0.0.1:80'])
  })
})

describe('a port that was tried', () => {
  const wanted = { address: '127.0.0.1', port: 443 }
  it.each([
    [undefined, '/', 'good', '127.0.0.1:443 is free'],
    ['EADDRNOTAVAIL', '/', 'problem', 'this machine has no address 127.0.0.1'],
    ['EAFNOSUPPORT', '/', 'problem', 'this machine has no address 127.0.0.1'],
    ['EINVAL', '/', 'problem', '127.0.0.1:443 cannot be opened (EINVAL)'],
    [
      'EACCES',
      '/',
      'warning',
      '127.0.0.1:443 was not tried: only root may open ports this low; ' +
        'the service may, because its unit has CAP_NET_BIND_SERVICE',
    ],
    [
      'EACCES',
      '/tmp/site',
      'warning',
      '127.0.0.1:443 was not tried: only root may open ports this low; ' +
        'below a root the service has no more rights than who starts it',
    ],
  ])('with %s at root %s is a %s', (code, root, kind, message) => {
    expect(judgeListening('server.port', { wanted, code, root })).toEqual({ path: 'server.port', kind, message })
  })
})

describe('the release in metrics', () => {
  it.each([
    ['# HELP x\nnetwork_build_info{version="1.0.0",commit="abc",release="1.0.0-0123"} 1\n', '1.0.0-0123'],
    ['network_build_info{release="r1",version="1"} 1', 'r1'],
    ['network_build_info{prerelease="r1"} 1', undefined],
    ['other_build_info{release="r1"} 1', undefined],
    ['', undefined],
  ])('of %j is %s', (text, release) => {
    expect(releaseInMetrics(text)).toBe(release)
  })
})

describe('an answer to SSLRequest', () => {
  it.each([
    ['S', { kind: 'postgres', tls: true }],
    ['N', { kind: 'postgres', tls: false }],
    ['SSH-2.0-OpenSSH_9.2\r\n', { kind: 'other' }],
    ['HTTP/1.1 400 Bad Request\r\n', { kind: 'other' }],
    ['\0\0\0\x08\x04\xd2\x16\x2f', { kind: 'other' }],
    ['E', { kind: 'other' }],
  ])('%j is judged', (text, expected) => {
    expect(judgeAnswer(Buffer.from(text, 'latin1'))).toEqual(expected)
  })

  const entry = { key: 'database.host', hostKey: 'database.host', host: 'db1', port: 5432 }
  const none: Answer = { kind: 'no connection', code: 'ECONNREFUSED' }
  it.each<[Answer[], string, string]>([
    [[none, { kind: 'postgres', tls: true }], 'good', 'PostgreSQL answers at db1:5432, with TLS'],
    [[{ kind: 'postgres', tls: false }], 'good', 'PostgreSQL answers at db1:5432, without TLS'],
    [[{ kind: 'other' }, none], 'problem', 'something answers at db1:5432 that is not PostgreSQL'],
    [[{ kind: 'closed' }], 'problem', 'db1:5432 closes the connection without an answer'],
    [[{ kind: 'silent' }], 'problem', 'something listens at db1:5432 and does not answer within 900 ms'],
    [[none], 'problem', 'no connection to db1:5432 within 900 ms (ECONNREFUSED)'],
    [[], 'problem', 'db1 has no address'],
  ])('%j is a finding', (answers, kind, message) => {
    const given = { answers, limitMs: 900, tls: false }
    expect(judgeAnswers(entry, { ...given, say: problem })).toEqual({ path: 'database.host', kind, message })
    const asReplica = judgeAnswers(entry, { ...given, say: warning }).kind
    expect(asReplica).toBe(kind === 'problem' ? 'warning' : 'good')
  })

  it('without TLS is a problem where TLS is required', () => {
    const judged = (tls: boolean) =>
      judgeAnswers(entry, { answers: [{ kind: 'postgres', tls }], limitMs: 900, tls: true, say: problem })
    expect(judged(true)).toMatchObject({ kind: 'good' })
    expect(judged(false)).toMatchObject({
      kind: 'problem',
      message: 'PostgreSQL at db1:5432 does not speak TLS, and database.ssl_mode requires it',
    })
  })
})

describe('read replicas', () => {
  it('are taken apart; one without a port has that of the master', () => {
    const text = 'database: { driver: postgres, port: 6432, read_replicas: ["db2:5433", db3, "[::1]:1", "[fd00::2]"] }'
    expect(replicasOf(parseServerConfig(text, 'c')).map(({ key, host, port }) => [key, host, port])).toEqual([
      ['database.read_replicas[0]', 'db2', 5433],
      ['database.read_replicas[1]', 'db3', 6432],
      ['database.read_replicas[2]', '::1', 1],
      ['database.read_replicas[3]', 'fd00::2', 6432],
    ])
  })
})
