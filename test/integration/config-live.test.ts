// `netops config validate --live` against what is really there: accounts, certificates, listeners, databases.
import { execFileSync, spawnSync } from 'node:child_process'
import { constants, readFileSync } from 'node:fs'
import { chmod, chown, copyFile, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import { checkLive, ownName, type LiveFinding, type LivePlace } from '../../src/config/live.ts'
import { parseServerConfig } from '../../src/config/server-config.ts'
import { makeCertificate as makePair, openssl, type Wanted } from '../support/certificates.ts'
import { findPostgres, startPostgres, type Postgres } from '../support/postgres.ts'
import { eventually, here, startReady, useServers } from '../support/server-process.ts'

useServers()

const isRoot = process.getuid?.() === 0
const postgresPrograms = await findPostgres()
const openServers: Server[] = []

beforeEach(async () => {
  // Other accounts must get as far as the files that they are to be kept from.
  await chmod(here.root, 0o755)
  await mkdir(join(here.root, 'tls'))
})
afterEach(async () => {
  await Promise.all(openServers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

/** Free ports for what a test does not ask about, so that whatever else runs on the machine is not in the way. */
const portsOf = ({ server = here.ports.server, host = '127.0.0.1', more = '' } = {}): string =>
  `server: { host: "${host}", port: ${server}${more} }\nmetrics: { port: ${here.ports.metrics} }\n`

const look = (text: string, place: Partial<LivePlace> = {}): Promise<readonly LiveFinding[]> =>
  checkLive(parseServerConfig(text, 'config.yaml'), {
    root: here.root,
    user: ownName(),
    now: () => new Date(),
    ...place,
  })

/** `good: text` of each finding for a key. */
const about = (findings: readonly LiveFinding[], key: string): readonly string[] =>
  findings.filter(({ path }) => path === key).map(({ kind, message }) => `${kind}: ${message}`)

async function listen(onConnection: (socket: Socket) => void, host = '127.0.0.1', port = 0): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  // close() alone would wait for those who never say goodbye.
  const close = server.close.bind(server)
  server.close = (callback) => {
    for (const socket of sockets) socket.destroy()
    return close(callback)
  }
  return listening(server, host, port)
}

async function listening(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  openServers.push(server)
  return (server.address() as AddressInfo).port
}

const silent = (): void => undefined
const echo = (socket: Socket): void => void socket.pipe(socket)

/** A certificate and its key as their texts. */
function makeCertificate(folder: string, name: string, wanted: Wanted = {}): { cert: string; key: string } {
  const { cert, key } = makePair(folder, name, wanted)
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

async function put(path: string, text: string, mode = 0o600): Promise<string> {
  const file = join(here.root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  await chmod(file, mode)
  return file
}

describe('the whole', () => {
  it('tells of every key in the order of the schema', async () => {
    const made = makeCertificate(here.root, 'own')
    await put('tls/cert.pem', made.cert, 0o644)
    await put('tls/key.pem', made.key)
    await put('secret', `${'s'.repeat(40)}\n`)
    await put('password', 'geheim\n')
    await mkdir(join(here.root, 'var/lib/network_system'), { recursive: true })
    await mkdir(join(here.root, 'logs'))
    const tlsPort = await listen(silent)
    await new Promise((resolve) => openServers.splice(0)[0]?.close(resolve))
    const findings = await look(
      portsOf({ host: 'localhost', more: `, tls_port: ${tlsPort}` }) +
        'security: { ssl_enabled: true, cert_file: /tls/cert.pem, key_file: /tls/key.pem }\n' +
        'auth: { jwt_secret_file: /secret }\n' +
        'database: { password_file: /password }\n' +
        'logging: { file: /logs/a.log, outputs: [{ type: console }, { type: file, path: /logs/b.log }] }\n' +
        'access_log: { file: /logs/access.log }\nerror_log: { file: /logs/error.log }\n',
    )
    expect(findings.map(({ path }) => path)).toEqual([
      'server.host',
      'server.port',
      'server.tls_port',
      'security.cert_file',
      'security.cert_file',
      'security.key_file',
      'security.key_file',
      'auth.jwt_secret_file',
      'auth.jwt_secret_file',
      'database.driver',
      'database.driver',
      'database.password_file',
      'database.password_file',
      'logging.file',
      'logging.outputs[1].path',
      'access_log.file',
      'error_log.file',
      'metrics.port',
    ])
    expect(findings.filter(({ kind }) => kind !== 'good')).toEqual([])
    expect(JSON.stringify(findings)).not.toMatch(/geheim|ssss|PRIVATE/)
  })
})

describe('files', () => {
  const config = (file: string) => `${portsOf()}auth: { jwt_secret_file: ${file} }\n`
  const key = 'auth.jwt_secret_file'

  it('must be there, regular, and of their length', async () => {
    expect(about(await look(config('/none')), key)).toEqual([`problem: there is no file ${here.root}/none`])
    expect(about(await look(config('/tls')), key)).toEqual([`problem: ${here.root}/tls is not a regular file`])
    await put('file', 'x')
    expect(about(await look(config('/file/below')), key)).toEqual([`problem: there is no file ${here.root}/file/below`])
    await symlink('loop', join(here.root, 'loop'))
    expect(about(await look(config('/loop')), key)).toEqual([
      expect.stringMatching(/^problem: ELOOP/) as string,
      expect.stringMatching(/^problem: ELOOP/) as string,
    ])
    await put('short', 'short\n')
    expect(about(await look(config('/short')), key)).toEqual([
      `good: ${ownName()} can read ${here.root}/short`,
      'problem: it holds fewer than 32 bytes (RFC 7518, 3.2); make one: openssl rand -hex 32',
    ])
    await put('large', 'x'.repeat(2 ** 20 + 1))
    expect(about(await look(config('/large')), key)[1]).toBe(`problem: ${here.root}/large is larger than 1 MiB`)
  })

  it('that hold a secret are for the service alone', async () => {
    await put('open', 'x'.repeat(32), 0o644)
    expect(about(await look(config('/open')), key)).toContain(
      `warning: ${here.root}/open can be read by every account of this machine (mode 0644)`,
    )
  })

  it('are not waited for when they are pipes', async () => {
    execFileSync('mkfifo', [join(here.root, 'pipe')])
    expect(about(await look(config('/pipe')), key)).toEqual([`problem: ${here.root}/pipe is not a regular file`])
  })

  it.runIf(isRoot)('are tried as the service’s account', async () => {
    const file = await put('secret', 'x'.repeat(32), 0o600)
    expect(about(await look(config('/secret'), { user: 'nobody' }), key)).toContain(
      `problem: nobody cannot read ${file}`,
    )
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'nobody'])))
    await chown(file, 0, gid ?? 0)
    await chmod(file, 0o640)
    const asGroup = about(await look(config('/secret'), { user: 'nobody' }), key)
    expect(asGroup).toContain(`good: nobody can read ${file}`)
    expect(asGroup.filter((line) => line.startsWith('warning'))).toEqual([])
    await chown(file, uid ?? 0, 0)
    expect(about(await look(config('/secret'), { user: 'nobody' }), key)).toEqual([
      `good: nobody can read ${file}`,
      `warning: ${file} can be read by the group 0, which is not one of the service's (mode 0640)`,
      'good: the key of tokens is long enough: 32 bytes',
    ])
    await chmod(here.root, 0o700)
    expect(about(await look(config('/secret'), { user: 'nobody' }), key)).toContain(
      `problem: nobody cannot read ${file}`,
    )
  })

  it('are tried as oneself where there is no such account yet', async () => {
    const file = await put('secret', 'x'.repeat(32))
    expect(about(await look(config('/secret'), { user: 'no_such_account' }), key)).toContain(
      `warning: ${ownName()} can read ${file}, but there is no account no_such_account yet`,
    )
  })
})

describe('folders', () => {
  const log = (path: string) => `${portsOf()}logging: { file: ${path} }\n`
  const written = async (path: string, user = ownName()) => about(await look(log(path), { user }), 'logging.file')

  it('may be missing where a deployment or the service makes them', async () => {
    expect(await written('/var/log/network/server.log')).toEqual([
      `warning: ${here.root}/var/log/network is not there yet: a deployment makes it`,
    ])
    expect(await written('/srv/logs/server.log')).toEqual([
      `warning: ${here.root}/srv/logs is not there yet: the service makes it at its start`,
    ])
    expect(await written('/srv/logs/server.log', 'no_such_account')).toEqual([
      `warning: ${ownName()} can make ${here.root}/srv/logs in ${here.root}, but there is no account no_such_account yet`,
    ])
    expect(about(await look(portsOf()), 'database.driver')).toEqual([
      `warning: ${here.root}/var/lib/network_system is not there yet: a deployment makes it`,
      `good: ${here.root}/var/lib/network_system/state.db is made at the first start`,
    ])
    expect(await readdir(here.root)).toEqual(['tls'])
  })

  it('must be folders', async () => {
    await put('file', '')
    expect(await written('/file/server.log')).toEqual([`problem: ${here.root}/file is not a folder`])
    expect(await written('/tls')).toEqual([`problem: ${here.root}/tls is a folder`])
  })

  it.runIf(isRoot)('are tried as the service’s account', async () => {
    expect(await written('/tls/server.log', 'nobody')).toEqual([
      `problem: nobody cannot make files in ${here.root}/tls`,
    ])
    expect(await written('/a/b/server.log', 'nobody')).toEqual([
      `problem: nobody cannot make ${here.root}/a/b in ${here.root}`,
    ])
    await chmod(join(here.root, 'tls'), 0o777)
    expect(await written('/tls/server.log', 'nobody')).toEqual([`good: nobody can make files in ${here.root}/tls`])
    await put('tls/server.log', '', 0o644)
    expect(await written('/tls/server.log', 'nobody')).toEqual([
      `problem: nobody cannot write ${here.root}/tls/server.log`,
    ])
    await chmod(join(here.root, 'tls/server.log'), 0o666)
    expect(await written('/tls/server.log', 'nobody')).toEqual([`good: nobody can write ${here.root}/tls/server.log`])
  })

  it('on a host of its own are also measured by what the unit allows', async () => {
    // Whatever else temporary folders lie below, these are what a unit hides and keeps from writing.
    const folder = await mkdtemp('/tmp/netops-live-')
    onTestFinished(() => rm(folder, { recursive: true }))
    const findings = await look(log(join(folder, 'server.log')), { root: '/' })
    expect(about(findings, 'logging.file')[1]).toMatch(/^warning: the service cannot write .* \(ProtectSystem\)$/)
    const hidden = join(folder, 'secret')
    await writeFile(hidden, 'x'.repeat(32), { mode: 0o600 })
    const file = await look(`${portsOf()}auth: { jwt_secret_file: ${hidden} }\n`, { root: '/' })
    expect(about(file, 'auth.jwt_secret_file').filter((line) => line.startsWith('warning'))).toEqual([
      expect.stringMatching(/its unit hides \/tmp \(PrivateTmp\)$/),
    ])
  })
})

describe('a certificate', () => {
  const config = () => `${portsOf()}security: { cert_file: /tls/cert.pem, key_file: /tls/key.pem }\n`
  const both = async (cert: string, key: string, now = new Date()) => {
    await put('tls/cert.pem', cert, 0o644)
    await put('tls/key.pem', key)
    const findings = await look(config(), { now: () => now })
    return [...about(findings, 'security.cert_file').slice(1), ...about(findings, 'security.key_file').slice(1)]
  }
  const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000)
  const isTheKey = 'good: is the key of security.cert_file'

  it('with its key is good until it is about to expire', async () => {
    const { cert, key } = makeCertificate(here.root, 'own')
    expect(await both(cert, key)).toEqual([
      expect.stringMatching(/^good: expires in 36[45] days \(20\d\d-\d\d-\d\d\)$/) as string,
      isTheKey,
    ])
    const until = inDays(365).toISOString().slice(0, 10)
    expect(await both(cert, key, inDays(354.5))).toEqual([`warning: expires in 10 days (${until})`, isTheKey])
    expect(await both(cert, key, inDays(366))).toEqual([`problem: the certificate expired on ${until}`, isTheKey])
    expect(await both(cert, key, inDays(-1))).toEqual([
      expect.stringMatching(/^problem: the certificate is not valid before 20/) as string,
      isTheKey,
    ])
  })

  it('that really has ten days left is told so', async () => {
    const { cert, key } = makeCertificate(here.root, 'own', { days: 10 })
    expect((await both(cert, key))[0]).toMatch(/^warning: expires in (?:9|10) days/)
  })

  it('is nothing with the key of another', async () => {
    const { cert } = makeCertificate(here.root, 'own')
    const { key } = makeCertificate(here.root, 'other')
    expect((await both(cert, key))[1]).toBe('problem: it is not the key of the certificate in security.cert_file')
  })

  it.each([
    ['PKCS #8', 'pkey', /ENCRYPTED PRIVATE KEY/],
    ['the older form', 'ec', /Proc-Type: 4,ENCRYPTED/],
  ])('is nothing with a key that is encrypted, in %s', async (_, program, form) => {
    const pair = makePair(here.root, 'own')
    const converted = openssl(program, '-in', pair.key, '-aes256', '-passout', 'pass:1234')
    expect(converted).toMatch(form)
    const cert = readFileSync(pair.cert, 'utf8')
    expect((await both(cert, converted))[1]).toMatch(/^problem: it is encrypted/)
  })

  it('must be PEM, and so must its key', async () => {
    const { cert, key } = makeCertificate(here.root, 'own')
    expect(await both('no certificate', key)).toEqual(['problem: it holds no certificate in PEM form'])
    expect(await both(key, cert)).toEqual([
      'problem: it holds no certificate in PEM form',
      'problem: it holds no private key in PEM form',
    ])
  })

  it('whose key is too short for TLS is refused as the service would refuse it', async () => {
    const weak = ['-newkey', 'rsa:1024', '-nodes']
    execFileSync(
      'openssl',
      ['req', '-x509', ...weak, '-subj', '/CN=weak', '-keyout', 'weak.key', '-out', 'weak.pem', '-days', '99'],
      { cwd: here.root, stdio: 'ignore' },
    )
    const [cert, key] = ['weak.pem', 'weak.key'].map((name) =>
      execFileSync('cat', [join(here.root, name)], { encoding: 'utf8' }),
    )
    expect(await both(cert ?? '', key ?? '')).toContainEqual(
      expect.stringMatching(/^problem: OpenSSL refuses it: .*key too small/i),
    )
  })

  it('stands before the one that issued it', async () => {
    const issuing = makePair(here.root, 'issuer', { ca: true })
    const issuer = { cert: readFileSync(issuing.cert, 'utf8') }
    const { cert, key } = makeCertificate(here.root, 'own', { by: issuing, days: 90 })
    expect(await both(cert + issuer.cert, key)).toEqual([
      expect.stringMatching(/^good: expires in/) as string,
      isTheKey,
    ])
    const stranger = makeCertificate(here.root, 'stranger')
    expect(await both(cert + stranger.cert, key)).toContainEqual(
      expect.stringMatching(/^warning: "stranger" follows "own" and did not issue it: /),
    )
    expect(await both(issuer.cert + cert, key)).toContain(
      'problem: it is the key of certificate 2 in security.cert_file: that one must be the first',
    )
    expect(await both(cert + issuer.cert, key, inDays(80))).toEqual([
      expect.stringMatching(/^warning: expires in (?:9|10) days/) as string,
      isTheKey,
    ])
  })
})

describe('ports', () => {
  it('are good when network_server itself has them, with its release', async () => {
    await startReady({ env: { NETWORK_RELEASE: '1.2.3-abc' } })
    const { server, metrics } = here.ports
    const findings = await look(portsOf())
    expect(about(findings, 'server.port')).toEqual([
      `good: 127.0.0.1:${server} is in use by network_server itself, release 1.2.3-abc`,
    ])
    expect(about(findings, 'metrics.port')).toEqual([
      `good: 127.0.0.1:${metrics} is in use by network_server itself, release 1.2.3-abc`,
    ])
    // It is found where it listens, also from the other address that it would be in the way of.
    expect(about(await look(portsOf({ host: '0.0.0.0' })), 'server.port')).toEqual([
      `good: 0.0.0.0:${server} is in use by network_server itself, release 1.2.3-abc`,
    ])
    // Metrics on the port that should serve are the service, but not in its place.
    const swapped = `server: { host: 127.0.0.1, port: ${metrics} }\nmetrics: { port: ${server} }\n`
    const mixed = await look(swapped)
    expect([about(mixed, 'server.port'), about(mixed, 'metrics.port')]).toEqual([
      [expect.stringMatching(/^problem: .* is in use by something else/)],
      [expect.stringMatching(/^problem: .* is in use by something else/)],
    ])
  })

  it('are good when it has the one for TLS, whatever its certificate', async () => {
    const made = makeCertificate(here.root, 'own')
    await put('tls/cert.pem', made.cert, 0o644)
    await put('tls/key.pem', made.key)
    const server = createTlsServer(made, (_request, response) => response.setHeader('x-release', 'r7').end())
    const port = await listening(server, '127.0.0.1', 0)
    const findings = await look(
      `${portsOf({ more: `, tls_port: ${port}` })}security: { ssl_enabled: true, cert_file: /tls/cert.pem, key_file: /tls/key.pem }\n`,
    )
    expect(about(findings, 'server.tls_port')).toEqual([
      `good: 127.0.0.1:${port} is in use by network_server itself, release r7`,
    ])
  })

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['127.0.0.1', '0.0.0.0'],
    ['127.0.0.2', '0.0.0.0'],
    ['::', '127.0.0.1'],
    ['127.0.0.1', '::'],
  ])('are a problem when something else has them: it at %s, the service at %s', async (theirs, ours) => {
    const port = await listen((socket) => socket.end('hello\r\n'), theirs)
    expect(about(await look(portsOf({ server: port, host: ours })), 'server.port')).toEqual([
      `problem: ${ours.includes(':') ? `[${ours}]` : ours}:${port} is in use by something else: ` +
        `ss -ltnp 'sport = :${port}' names it`,
    ])
  })

  it('are asked who has them where that one listens', async () => {
    const server = createHttpServer((_request, response) => response.setHeader('x-release', 'r8').end())
    const port = await listening(server, '127.0.0.2', 0)
    expect(about(await look(portsOf({ server: port, host: '0.0.0.0' })), 'server.port')).toEqual([
      `good: 0.0.0.0:${port} is in use by network_server itself, release r8`,
    ])
  })

  it('are free for each of many looks at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => look(portsOf())))
    expect(new Set(all.flatMap((findings) => about(findings, 'server.port')))).toEqual(
      new Set([`good: 127.0.0.1:${here.ports.server} is free`]),
    )
  })

  it('are free beside a listener on another address, and nothing listens there afterwards', async () => {
    const port = await listen(echo, '127.0.0.2')
    expect(about(await look(portsOf({ server: port })), 'server.port')).toEqual([`good: 127.0.0.1:${port} is free`])
    await listen(echo, '127.0.0.1', port)
  })

  it('are not waited for longer than a look may take', async () => {
    const port = await listen(silent)
    const begun = performance.now()
    const findings = await look(portsOf({ server: port }))
    expect(performance.now() - begun).toBeLessThan(5500)
    expect(about(findings, 'server.port')).toEqual([expect.stringContaining('in use by something else') as string])
  })

  it('are a problem on an address that this machine does not have', async () => {
    expect(about(await look(portsOf({ host: '203.0.113.7' })), 'server.port')).toEqual([
      'problem: this machine has no address 203.0.113.7',
    ])
  })
})

describe('names', () => {
  it('that nobody knows are a problem, and the port at them is not tried', async () => {
    const findings = await look(
      `${portsOf({ host: 'no-such-host.invalid' })}database: { driver: postgres, host: no-such-host.invalid, read_replicas: [no-such-host.invalid] }\n`,
    )
    const unknown = expect.stringMatching(
      /^problem: this machine knows no address of no-such-host\.invalid \(E[A-Z_]+\)$/,
    ) as string
    expect(about(findings, 'server.host')).toEqual([unknown])
    expect(about(findings, 'server.port')).toEqual(['warning: not tried: server.host has no address'])
    expect(about(findings, 'database.host')).toEqual([unknown, 'problem: not tried: database.host has no address'])
    expect(about(findings, 'database.read_replicas[0]')).toEqual([
      expect.stringMatching(/^warning: this machine knows no address/) as string,
      'warning: not tried: database.read_replicas[0] has no address',
    ])
  })
})

describe('SQLite’s file', () => {
  const folder = () => join(here.root, 'var/lib/network_system')
  const file = () => join(folder(), 'state.db')
  const found = async (user = ownName()) => about(await look(portsOf(), { user }), 'database.driver').slice(1)
  const traces = async (): Promise<unknown> =>
    Promise.all(
      (await readdir(folder())).map(async (name) => {
        const { size, mtimeMs, ino } = await stat(join(folder(), name))
        return { name, size, mtimeMs, ino }
      }),
    )
  const make = (): DatabaseSync => {
    const database = new DatabaseSync(file())
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a); PRAGMA user_version = 3')
    return database
  }
  const isGood = () => [`good: ${ownName()} can write ${file()}`, `good: ${file()} can be opened, data schema 3`]

  beforeEach(() => mkdir(folder(), { recursive: true }))

  it('is read while it is in use, after a crash and when it was closed, and stays as it was', async () => {
    using database = make()
    const inUse = await traces()
    expect(await found()).toEqual(isGood())
    expect(await traces()).toEqual(inUse)

    const names = await readdir(folder())
    expect(names).toEqual(['state.db', 'state.db-shm', 'state.db-wal'])
    await mkdir(join(here.root, 'crashed'))
    for (const name of names) await copyFile(join(folder(), name), join(here.root, 'crashed', name))
    database.close()
    const closed = await traces()
    expect(closed).toHaveLength(1)
    expect(await found()).toEqual(isGood())
    expect(await traces()).toEqual(closed)

    for (const name of names) await copyFile(join(here.root, 'crashed', name), join(folder(), name))
    const crashed = await traces()
    expect(await found()).toEqual(isGood())
    expect(await traces()).toEqual(crashed)
  })

  it('is a problem where it is none', async () => {
    await put('var/lib/network_system/state.db', 'no database at all, but long enough to be taken for one'.repeat(50))
    expect((await found())[1]).toMatch(/^problem: .*state\.db cannot be opened: file is not a database/)
  })

  it.runIf(isRoot)('is a problem where the service may not write it, or what lies beside it', async () => {
    make().close()
    expect((await found('nobody'))[0]).toBe(`problem: nobody cannot write ${file()}`)
    await chmod(file(), 0o666)
    await put('var/lib/network_system/state.db-wal', '', 0o644)
    expect((await found('nobody'))[0]).toBe(`problem: nobody cannot write ${file()}-wal`)
  })
})

describe('a database server', () => {
  const config = (port: number, more = '') =>
    `${portsOf()}database: { driver: postgres, host: 127.0.0.1, port: ${port}, pool_connect_timeout: 700ms${more} }\n`
  const found = async (port: number) => about(await look(config(port)), 'database.host')

  it.each([
    ['echoes', echo],
    ['speaks SSH', (socket: Socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n')],
    [
      'says S, and more',
      (socket: Socket) => void socket.write('S', () => setTimeout(() => socket.write('MTP ready\r\n'), 20)),
    ],
  ])('that %s is not PostgreSQL', async (_, behave) => {
    const port = await listen(behave)
    expect(await found(port)).toEqual([`problem: something answers at 127.0.0.1:${port} that is not PostgreSQL`])
    const asReplica = await look(config(1, `, read_replicas: ["127.0.0.1:${port}"]`))
    expect(about(asReplica, 'database.read_replicas[0]')).toEqual([
      `warning: something answers at 127.0.0.1:${port} that is not PostgreSQL`,
    ])
  })

  it('that says nothing is waited for as long as the service would wait', async () => {
    const port = await listen(silent)
    const begun = performance.now()
    expect(await found(port)).toEqual([
      `problem: something listens at 127.0.0.1:${port} and does not answer within 700 ms`,
    ])
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  it('that hangs up, or is not there, is a problem', async () => {
    const port = await listen((socket) => socket.end())
    expect(await found(port)).toEqual([`problem: 127.0.0.1:${port} closes the connection without an answer`])
    expect(await found(here.ports.server)).toEqual([
      `problem: no connection to 127.0.0.1:${here.ports.server} within 700 ms (ECONNREFUSED)`,
    ])
  })

  describe.skipIf(postgresPrograms === undefined)('that is PostgreSQL', () => {
    let postgres: Postgres | undefined
    const running = (): Postgres => {
      if (postgres === undefined) throw new Error('PostgreSQL did not start')
      return postgres
    }
    beforeAll(async () => {
      postgres = await startPostgres(postgresPrograms ?? '')
    })
    afterAll(() => postgres?.stop())

    it('is recognised, without TLS and with it, and as a replica', async () => {
      const { port } = running()
      expect(await found(port)).toEqual([`good: PostgreSQL answers at 127.0.0.1:${port}, without TLS`])
      const byName = `${portsOf()}database: { driver: postgres, host: localhost, port: ${port}, read_replicas: ["localhost:${port}"] }\n`
      const named = await look(byName)
      expect(about(named, 'database.host')).toEqual([
        expect.stringMatching(/^good: localhost is .*127\.0\.0\.1/) as string,
        `good: PostgreSQL answers at localhost:${port}, without TLS`,
      ])
      expect(about(named, 'database.read_replicas[0]')[1]).toBe(
        `good: PostgreSQL answers at localhost:${port}, without TLS`,
      )

      const made = makeCertificate(here.root, 'database')
      const cert = await running().write('server.pem', made.cert)
      const key = await running().write('server.key', made.key)
      await running().configure(`ssl = on\nssl_cert_file = '${cert}'\nssl_key_file = '${key}'\n`)
      await eventually(async () => {
        expect(await found(port)).toEqual([`good: PostgreSQL answers at 127.0.0.1:${port}, with TLS`])
      })
    })

    it('is in the way of a port of the service as anything else is', async () => {
      const findings = await look(portsOf({ server: running().port }))
      expect(about(findings, 'server.port')).toEqual([expect.stringMatching(/^problem: .* in use by something else/)])
    })
  })
})

describe('netops', () => {
  let folder = ''
  beforeAll(async () => {
    // Where every account gets at it; a checkout may lie in somebody's home.
    folder = await mkdtemp(join(tmpdir(), 'netops-live-'))
    await chmod(folder, 0o755)
    await copyFile(inject('builds').netops, join(folder, 'netops'), constants.COPYFILE_FICLONE)
    await chmod(join(folder, 'netops'), 0o755)
  })
  afterAll(() => rm(folder, { recursive: true }))

  const netops = (args: readonly string[], as: readonly string[] = []) => {
    const [program = '', ...rest] = [...as, join(folder, 'netops'), 'config', 'validate', ...args]
    return spawnSync(program, rest, { encoding: 'utf8', timeout: 60_000, cwd: folder, env: { PATH: process.env.PATH } })
  }

  it('tells what it found line by line and as JSON, and exits with 2 for a problem', async () => {
    const config = await put('config.yaml', `${portsOf()}auth: { jwt_secret_file: /none }\n`, 0o644)
    const { status, stdout, stderr } = netops([config, '--live', '--root', here.root])
    expect(stderr).toBe('')
    expect(status).toBe(2)
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        `${config}: valid`,
        `${config}: server.port: good: 127.0.0.1:${here.ports.server} is free`,
        `${config}: auth.jwt_secret_file: problem: there is no file ${here.root}/none`,
      ]),
    )
    const asJson = netops([config, '--live', '--root', here.root, '--json'])
    expect(asJson.status).toBe(2)
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      ok: false,
      files: [
        {
          valid: true,
          live: expect.arrayContaining([
            { path: 'auth.jwt_secret_file', kind: 'problem', message: `there is no file ${here.root}/none` },
          ]) as unknown,
        },
      ],
    })
    expect(netops([config]).status).toBe(0)
  })

  it.runIf(isRoot)('run by somebody else than the service says that it is so', async () => {
    const config = await put(
      'config.yaml',
      `server: { host: 127.0.0.1, port: 81 }\nmetrics: { port: ${here.ports.metrics} }\n` +
        'auth: { jwt_secret_file: /secret }\nsecurity: { cert_file: /hidden/cert.pem, key_file: /secret }\n',
      0o644,
    )
    await put('secret', 'x'.repeat(32), 0o600)
    await mkdir(join(here.root, 'hidden'), { mode: 0o700 })
    const asNobody = ['runuser', '-u', 'nobody', '--']
    const { status, stdout, stderr } = netops([config, '--live', '--root', here.root, '--user', 'daemon'], asNobody)
    expect(stderr).toBe('')
    const said = stdout.split('\n').map((line) => line.slice(config.length + 2))
    const but = 'but only root can try as daemon'
    expect(said).toEqual(
      expect.arrayContaining([
        `security.cert_file: warning: nobody cannot reach ${here.root}/hidden/cert.pem, ${but}`,
        `security.key_file: warning: nobody cannot read ${here.root}/secret, ${but}`,
        `auth.jwt_secret_file: warning: nobody cannot read ${here.root}/secret, ${but}`,
      ]),
    )
    expect(status).toBe(0)
    // In its own name it is certain.
    const own = netops([config, '--live', '--root', here.root], asNobody)
    expect(own.stdout).toContain(`auth.jwt_secret_file: problem: nobody cannot read ${here.root}/secret`)
    expect(own.status).toBe(2)
  })
})
