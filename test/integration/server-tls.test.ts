// network_server with TLS and tokens: what is spoken, what is refused, and what a check finds out before a start.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { connect, type SecureVersion } from 'node:tls'
import { beforeEach, describe, expect, it } from 'vitest'
import { makeCertificate, openssl, type Pair } from '../support/certificates.ts'
import { makeToken } from '../support/json-web-token.ts'
import {
  ask,
  askOverTls,
  baseConfig,
  dialOverTls,
  eventually,
  freePort,
  here,
  isRefused,
  received,
  runToEnd,
  start,
  startReady,
  useServers,
} from '../support/server-process.ts'

useServers()

let pair: Pair = { cert: '', key: '' }
beforeEach(() => {
  pair = makeCertificate(join(here.root, 'tls'), 'server')
})

const tlsConfig = (security = '', auth = 'none') =>
  [
    `server: { host: 127.0.0.1, port: ${here.ports.server}, tls_port: ${here.ports.tls} }`,
    `metrics: { port: ${here.ports.metrics} }`,
    `security: { auth: ${auth}, ssl_enabled: true, cert_file: /tls/server.crt, key_file: /tls/server.key${security} }`,
    '',
  ].join('\n')
const trusted = () => readFileSync(pair.cert)

/** The version and cipher that a client and the server agree upon. */
const agree = (version: SecureVersion, more: { readonly ciphers?: string } = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const at = { host: '127.0.0.1', port: here.ports.tls, ca: trusted() }
    const socket = connect({ ...at, minVersion: version, maxVersion: version, ...more }, () => {
      resolve(`${socket.getProtocol() ?? ''} ${socket.getCipher().name}`)
      socket.destroy()
    })
    socket.once('error', reject)
  })

describe('TLS', () => {
  it('is spoken in versions 1.2 and 1.3 with the guide’s ciphers, beside plain HTTP', async () => {
    const server = await startReady({ config: tlsConfig() })
    expect(await agree('TLSv1.2')).toMatch(/^TLSv1\.2 ECDHE-ECDSA-AES(?:128|256)-GCM-/)
    expect(await agree('TLSv1.3')).toMatch(/^TLSv1\.3 TLS_/)
    // That the server says so, and not this client, is in the alert.
    await expect(agree('TLSv1.1', { ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow('alert protocol version')
    await expect(agree('TLSv1.2', { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' })).rejects.toThrow('handshake failure')
    expect(await askOverTls('/health', trusted())).toMatchObject({ status: 200 })
    expect(await askOverTls('/x', trusted())).toMatchObject({ status: 404 })
    expect(await ask('/x')).toMatchObject({ status: 404 })
    expect(server.lines().find(({ msg }) => msg === 'listening')).toMatchObject({
      address: `127.0.0.1:${here.ports.server}`,
      tls: `127.0.0.1:${here.ports.tls}`,
    })
    const metrics = await ask('/metrics', here.ports.metrics)
    expect(metrics.body).toContain('\nnetwork_responses_total{method="GET",route="other",status="4xx"} 2\n')
  })

  it('of version 1.2 is refused where 1.3 is the least', async () => {
    await startReady({ config: tlsConfig(', min_tls_version: TLSv1.3') })
    await expect(agree('TLSv1.2')).rejects.toThrow('alert protocol version')
    expect(await agree('TLSv1.3')).toMatch(/^TLSv1\.3 /)
  })

  it('shows the whole chain, so that a client needs to know its root alone', async () => {
    const folder = join(here.root, 'ca')
    const root = makeCertificate(folder, 'root', { ca: true })
    const middle = makeCertificate(folder, 'middle', { ca: true, by: root })
    const own = makeCertificate(folder, 'own', { by: middle })
    writeFileSync(pair.cert, readFileSync(own.cert, 'utf8') + readFileSync(middle.cert, 'utf8'))
    writeFileSync(pair.key, readFileSync(own.key))
    await startReady({ config: tlsConfig() })
    expect(await askOverTls('/health/live', readFileSync(root.cert))).toMatchObject({ status: 200 })
  })

  it('counts its connections with the plain ones, and together they have one limit', async () => {
    await startReady({
      config: tlsConfig(),
      args: ['--config', join(here.root, 'config.yaml'), '--root', here.root, '--set', 'server.max_connections=2'],
    })
    const wires = [await dialOverTls(trusted()), await dialOverTls(trusted())]
    await eventually(async () =>
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_active 2\n'),
    )
    expect(await ask('/x')).toMatchObject({ status: 404 })
    // The first one, which has sent nothing for longest, gave way.
    await wires[0]?.ended
    expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_given_up_total 1\n')
    expect(wires[1]?.socket.destroyed).toBe(false)
    wires[1]?.socket.destroy()
  })

  it('is not spoken to bytes that are no TLS, and the service goes on', async () => {
    await startReady({ config: tlsConfig() })
    await expect(ask('/health/live', here.ports.tls)).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(await askOverTls('/health/live', trusted())).toMatchObject({ status: 200 })
  })

  it('lets a request in flight end on SIGTERM, and an idle connection take one more', async () => {
    const server = await startReady({ config: tlsConfig() })
    const [slow, kept] = [await dialOverTls(trusted()), await dialOverTls(trusted())]
    slow.socket.write('GET /x HTTP/1.1\r\nHo')
    kept.socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(kept, '"ready":true')
    await eventually(async () =>
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_requests_active 1\n'),
    )
    server.child.kill('SIGTERM')
    const { connections, requests } = await server.logged('stopping')
    expect(requests).toBe(1)
    // One of the service's own check may just be ending.
    expect(connections).toBeGreaterThanOrEqual(2)
    expect(await isRefused()).toBe(true)
    expect(await isRefused(here.ports.tls)).toBe(true)
    kept.socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
    await kept.ended
    expect(kept.received().split('HTTP/1.1 ')[2]).toMatch(/^503 /)
    slow.socket.write('st: x\r\n\r\n')
    await slow.ended
    expect(slow.received()).toMatch(/^HTTP\/1\.1 404 /)
    expect(slow.received().toLowerCase()).toContain('connection: close\r\n')
    expect(await server.exit).toBe(0)
  })

  it('ends the start with 1 and names the address when its port is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(here.ports.tls, '127.0.0.1', resolve))
    const server = await start({ config: tlsConfig() })
    expect(await server.exit).toBe(1)
    expect(server.lines().at(-1)).toMatchObject({
      level: 'FATAL',
      msg: `cannot listen on 127.0.0.1:${here.ports.tls} (server.host, server.tls_port): the address is in use by another process`,
    })
    await new Promise((resolve) => other.close(resolve))
  })
})

describe('where TLS is required', () => {
  it('the plain port answers health alone, and says where the rest is', async () => {
    await startReady({ config: tlsConfig(', require_tls: true') })
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect(await ask(path)).toMatchObject({ status: 200 })
      expect(await askOverTls(path, trusted())).toMatchObject({ status: 200 })
    }
    const refused = await ask('/x')
    expect(refused).toMatchObject({ status: 403, headers: { 'content-type': 'application/problem+json' } })
    expect(JSON.parse(refused.body)).toMatchObject({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: `TLS is required: use https on port ${here.ports.tls}`,
    })
    expect(refused.headers).not.toHaveProperty('location')
    expect(await askOverTls('/x', trusted())).toMatchObject({ status: 404 })
  })
})

describe('tokens', () => {
  const key = 'a key for tokens of the tests, long enough'
  const secretFile = () => {
    mkdirSync(join(here.root, 'secrets'))
    writeFileSync(join(here.root, 'secrets/jwt'), `${key}\n`)
    return 'auth: { jwt_secret_file: /secrets/jwt }\n'
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const past = Math.floor(Date.now() / 1000) - 10

  it('are needed for everything but health, with the same answer for whatever is wrong', async () => {
    const server = await startReady({ config: baseConfig('token') + secretFile(), env: { NETWORK_LOG_LEVEL: 'TRACE' } })
    const unsigned = makeToken({ header: { alg: 'none' }, key })
    const bad: readonly Readonly<Record<string, string>>[] = [
      {},
      bearer('rubbish'),
      bearer('a.b.c'),
      bearer(unsigned),
      bearer(unsigned.slice(0, unsigned.lastIndexOf('.') + 1)),
      bearer(makeToken({ key: key.toUpperCase() })),
      bearer(makeToken({ key: `${key}\n` })),
      bearer(makeToken({ key, claims: { iss: 'other' } })),
      bearer(makeToken({ key, claims: { exp: past } })),
      bearer(makeToken({ key, claims: { exp: undefined } })),
    ]
    const answers = await Promise.all(bad.map((headers) => ask('/x', here.ports.server, headers)))
    const shown = answers.map(({ status, headers, body }) => ({
      ...{ status, headers: { ...headers, date: '', 'x-request-id': '' } },
      body: body.replace(/,"request_id":"[^"]+"/, ''),
    }))
    for (const answer of shown) expect(answer).toEqual(shown[0])
    expect(shown[0]).toMatchObject({
      status: 401,
      headers: { 'content-type': 'application/problem+json', 'www-authenticate': 'Bearer error="invalid_token"' },
      body: '{"type":"about:blank","title":"Unauthorized","status":401,"detail":"a valid token is required"}',
    })
    expect(await ask('/%zz')).toMatchObject({ status: 401 })
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect(await ask(path)).toMatchObject({ status: 200 })
    }
    const good = await ask('/x', here.ports.server, bearer(makeToken({ key })))
    expect(good.status).toBe(404)
    expect(JSON.parse(good.body)).toMatchObject({ detail: 'nothing is served at GET /x' })
    expect(await ask('/metrics', here.ports.metrics)).toMatchObject({ status: 200 })
    const logged = JSON.stringify(server.lines()) + server.errors()
    expect(logged).not.toContain(key)
    expect(logged).not.toContain('eyJ')
  })

  it('are needed over TLS too, for the issuer of the configuration, and the body of a request comes through', async () => {
    const auth = `auth: { issuer: me, jwt_secret: "${key}" }\n`
    await startReady({
      config: `${tlsConfig(', require_tls: true', 'token')}${auth}performance: { max_request_size: 5B }\n`,
    })
    const good = makeToken({ key, claims: { iss: 'me' } })
    expect(await askOverTls('/x', trusted())).toMatchObject({ status: 401 })
    expect(await askOverTls('/x', trusted(), bearer(makeToken({ key })))).toMatchObject({ status: 401 })
    expect(await askOverTls('/x', trusted(), bearer(good))).toMatchObject({ status: 404 })
    expect(await ask('/x', here.ports.server, bearer(good))).toMatchObject({ status: 403 })
    for (const [body, status] of [
      ['12345', '404'],
      ['123456', '413'],
    ] as const) {
      const wire = await dialOverTls(trusted())
      const head = `POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${good}\r\nContent-Length: ${body.length}\r\n\r\n`
      wire.socket.write(head + body)
      await received(wire, `HTTP/1.1 ${status} `)
      wire.socket.destroy()
    }
  })
})

describe('a check', () => {
  const file = () => join(here.root, 'config.yaml')
  const check = (text: string, ...flags: readonly string[]) => {
    writeFileSync(file(), text)
    return runToEnd(['--check-config', '--config', file(), '--root', here.root, ...flags])
  }
  const tls = (name: string) => join(here.root, 'tls', name)

  it('finds certificate, key and secret good', () => {
    writeFileSync(tls('jwt'), 'x'.repeat(32))
    expect(check(`${tlsConfig('', 'token')}auth: { jwt_secret_file: /tls/jwt }\n`)).toEqual({
      status: 0,
      stdout: `${file()}: valid\n`,
      stderr: '',
    })
  })

  it('refuses another key than the certificate’s, as the start does', async () => {
    writeFileSync(pair.key, readFileSync(makeCertificate(join(here.root, 'other'), 'other').key))
    const line = `security.key_file: ${tls('server.key')}: it is not the key of the certificate in ${tls('server.crt')}\n`
    expect(check(tlsConfig())).toEqual({ status: 2, stdout: '', stderr: line })
    const server = await start({ config: tlsConfig() })
    expect(await server.exit).toBe(2)
    expect([server.lines(), server.errors()]).toEqual([[], line])
  })

  it('refuses a secret that is too short without a word of it, as the start does', async () => {
    writeFileSync(tls('jwt'), 'hunter2\n')
    const config = `${baseConfig('token')}auth: { jwt_secret_file: /tls/jwt }\n`
    const { status, stderr } = check(config)
    expect(status).toBe(2)
    expect(stderr).toContain(
      `auth.jwt_secret_file: ${tls('jwt')}: it holds fewer than 32 bytes (RFC 7518, 3.2)\n  hint: `,
    )
    expect(stderr).not.toContain('hunter2')
    const server = await start({ config })
    expect(await server.exit).toBe(2)
    expect(server.errors()).toBe(stderr)
  })

  it('refuses a certificate out of date and notes one that soon is, and everything that is wrong at once', () => {
    makeCertificate(join(here.root, 'tls'), 'server', { days: -1 })
    const expired = check(`${tlsConfig('', 'token')}auth: { jwt_secret_file: /tls/none }\n`)
    expect(expired.status).toBe(2)
    expect(expired.stderr.split('\n')).toEqual([
      expect.stringMatching(/^security\.cert_file: \S+\/tls\/server\.crt: the certificate expired on \d{4}-\d\d-\d\d$/),
      `auth.jwt_secret_file: ${tls('none')}: there is no such file`,
      '',
    ])
    makeCertificate(join(here.root, 'tls'), 'server', { days: 20 })
    const soon = check(tlsConfig())
    expect(soon.status).toBe(0)
    expect(soon.stdout.replace(/\d{4}-\d\d-\d\d/, 'DATE')).toBe(
      `${file()}: valid\n${file()}: note: security.cert_file: ${tls('server.crt')}: the certificate expires on DATE, within 20 days\n`,
    )
  })

  it('reads other files instead where that is said', () => {
    const next = makeCertificate(join(here.root, 'next'), 'server')
    const encrypted = join(here.root, 'next/encrypted.key')
    openssl('pkey', '-in', next.key, '-aes256', '-passout', 'pass:word', '-out', encrypted)
    const config = tlsConfig().replaceAll('/tls/', '/not/yet/')
    expect(check(config).status).toBe(2)
    const [cert, key] = [`/not/yet/server.crt=${next.cert}`, `/not/yet/server.key=${next.key}`]
    expect(check(config, '--instead', cert, '--instead', key)).toMatchObject({ status: 0, stderr: '' })
    const mixed = check(config, '--instead', cert, '--instead', `/not/yet/server.key=${encrypted}`)
    expect(mixed.status).toBe(2)
    expect(mixed.stderr).toContain(`security.key_file: /not/yet/server.key (read from ${encrypted}): it is encrypted`)
    expect(runToEnd(['--config', file(), '--instead', cert])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--instead is only for --check-config') as string,
    })
  })
})

describe('--set', () => {
  it('wins over the environment, which wins over the file', async () => {
    const [fromEnv, fromFlag] = [await freePort(), await freePort()]
    const server = await startReady({
      args: [
        ...['--config', join(here.root, 'config.yaml'), '--root', here.root],
        ...['--set', `server.port=${fromFlag}`, '--set', 'logging.level=INFO'],
      ],
      env: { NETWORK_SERVER_PORT: String(fromEnv), NETWORK_METRICS_PORT: String(here.ports.tls) },
    })
    expect(server.lines().find(({ msg }) => msg === 'listening')).toMatchObject({
      address: `127.0.0.1:${fromFlag}`,
      metrics: `127.0.0.1:${here.ports.tls}`,
    })
    expect(await ask('/health/live', fromFlag)).toMatchObject({ status: 200 })
  })

  it('is refused where it says what cannot be, or a secret', () => {
    const { status, stderr } = runToEnd([
      '--root',
      here.root,
      '--set',
      'server.prot=1',
      '--set',
      'auth.jwt_secret=hunter2',
    ])
    expect(status).toBe(2)
    expect(stderr.split('\n')).toEqual([
      '--set: there is no key server.prot; did you mean server.port?',
      '--set auth.jwt_secret: a secret does not belong on a command line, where every user can read it',
      '',
    ])
  })
})
