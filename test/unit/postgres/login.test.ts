import { describe, expect, it } from 'vitest'
import { refusalOf } from '../../../src/postgres/ask.ts'
import { connectionString, identifier, literal, passfileText, type DatabaseLogin } from '../../../src/postgres/login.ts'
import { archiveCommand, receiveCommand } from '../../../src/postgres/receiver.ts'
import { majorIn } from '../../../src/postgres/tools.ts'

const login: DatabaseLogin = {
  host: 'db.example.com',
  port: 5432,
  database: 'network',
  user: 'network',
  ssl: 'disable',
}

describe('a login', () => {
  it('is a connection string, quoted where it has to be, and without a password', () => {
    const other: DatabaseLogin = {
      ...login,
      database: "it's",
      user: 'a b',
      ssl: 'verify-full',
      authorities: '/etc/ca.pem',
    }
    expect(connectionString(other, { replication: true, passfile: '/var/lib/netops/x.pgpass' })).toBe(
      "host=db.example.com port=5432 user='a b' dbname='it\\'s' sslmode=verify-full sslrootcert=/etc/ca.pem replication=true passfile=/var/lib/netops/x.pgpass connect_timeout=5",
    )
  })
  it('is a line of a password file, for any database', () => {
    expect(passfileText({ ...login, host: '::1' }, 'a:b\\c')).toBe('\\:\\:1:5432:*:network:a\\:b\\\\c\n')
    expect(() => passfileText(login, 'a\nb')).toThrow('end of line')
  })
  it('names and texts stand in SQL as what they are', () => {
    expect(identifier('a"b')).toBe('"a""b"')
    expect(literal("it's")).toBe("'it''s'")
    expect(literal("a\\b'c")).toBe("E'a\\\\b''c'")
  })
})

describe('what a server refuses', () => {
  it.each([
    ['FATAL:  password authentication failed for user "network"', 'refused', /ALTER ROLE "network" PASSWORD/],
    ['fe_sendauth: no password supplied', 'refused', /database\.password_file/],
    [
      'FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.9", user "network", no encryption',
      'refused',
      /host replication network ADDRESS-OF-THIS-HOST\/32 scram-sha-256/,
    ],
    [
      'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "network", database "network", no encryption',
      'refused',
      /host network network ADDRESS/,
    ],
    [
      'FATAL:  must be superuser or replication role to start walsender',
      'refused',
      /ALTER ROLE "network" REPLICATION;/,
    ],
    [
      'FATAL:  number of requested standby connections exceeds max_wal_senders (currently 0)',
      'refused',
      /max_wal_senders = 10/,
    ],
    ['FATAL:  role "network" does not exist', 'refused', /CREATE ROLE "network" LOGIN REPLICATION/],
    ['FATAL:  database "network" does not exist', 'refused', /CREATE DATABASE "network"/],
    ['server does not support SSL, but SSL was required', 'refused', /database\.ssl_mode/],
    ['could not connect: Connection refused', 'unreachable', /pg_isready -h db\.example\.com -p 5432/],
    ['FATAL:  the database system is starting up', 'unreachable', /pg_isready/],
  ])('%s', (said, code, hint) => {
    const error = refusalOf(`psql: error: ${said}\n`, login, 'web1')
    expect(error).toMatchObject({ code, host: 'web1', hint: expect.stringMatching(hint) as string })
    expect(error.message).toBe(`db.example.com:5432/network as network: ${said}`)
  })
  it('in words that nobody knows is told by them alone', () => {
    expect(refusalOf('FATAL:  Passwort-Authentifizierung fehlgeschlagen', login)).toMatchObject({
      code: 'failed',
      hint: undefined,
    })
  })
})

describe('programs', () => {
  it('say which version they are of', () => {
    expect(majorIn('pg_receivewal (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n')).toBe(15)
    expect(majorIn('psql (PostgreSQL) 17beta1')).toBe(17)
    expect(majorIn('something else 15')).toBeUndefined()
  })
  it('receive through a slot, and as each piece is on the disk where that is asked for', () => {
    const receiver = {
      bin: '/usr/lib/postgresql/15/bin',
      login,
      passfile: '/p',
      folder: '/wal',
      slot: 's',
      synchronous: true,
    }
    expect(receiveCommand(receiver)).toEqual([
      '/usr/lib/postgresql/15/bin/pg_receivewal',
      '--no-password',
      '--dbname=host=db.example.com port=5432 user=network dbname=network sslmode=disable passfile=/p application_name=network_wal_archive connect_timeout=5',
      ...['--directory=/wal', '--slot=s', '--status-interval=1', '--synchronous'],
    ])
    expect(receiveCommand({ ...receiver, synchronous: false })).not.toContain('--synchronous')
  })
  it('the command of a server names nothing but what the server puts in', () => {
    const command = archiveCommand("/it's 100%/wal")
    expect(command.match(/%(?!%)[a-z]/g)).toEqual(['%p', '%f'])
    expect(command).toContain("'/it'\\''s 100%%/wal'")
  })
})
