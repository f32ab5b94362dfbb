// SIGHUP and `network_server reload`: what takes effect while it serves, and that nothing of what is open is lost by it.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import { makeToken } from '../support/json-web-token.ts'
import {
  ask,
  baseConfig,
  dial,
  dialOverTls,
  eventually,
  here,
  received,
  runToEnd,
  startReady,
  useServers,
  type Running,
} from '../support/server-process.ts'

useServers()

const rewrite = (text: string) => writeFile(join(here.root, 'config.yaml'), text)
const reload = () => runToEnd(['reload', '--root', here.root, '--json'])
const readAgain = (server: Running, times = 1) =>
  eventually(() =>
    expect(server.lines().filter(({ msg }) => msg === 'the configuration was read again').length).toBe(times),
  )

/** Whose certificate a new connection is shown. */
const shown = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: here.ports.tls, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.once('error', reject)
  })

describe('SIGHUP', () => {
  it('changes the certificate of new connections, and drops none that is open', async () => {
    const old = makeCertificate(join(here.root, 'tls'), 'old')
    const config = (name: string) =>
      [
        `server: { host: 127.0.0.1, port: ${here.ports.server}, tls_port: ${here.ports.tls} }`,
        `metrics: { port: ${here.ports.metrics} }`,
        `security: { auth: none, ssl_enabled: true, cert_file: /tls/${name}.crt, key_file: /tls/${name}.key }`,
        '',
      ].join('\n')
    const server = await startReady({ config: config('old') })
    expect(await shown()).toBe('old')
    const kept = await dialOverTls(readFileSync(old.cert))
    kept.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(kept, '{"live":true}')
    makeCertificate(join(here.root, 'tls'), 'new')
    await rewrite(config('new'))
    server.child.kill('SIGHUP')
    await readAgain(server)
    await eventually(async () => {
      // Every thread has it: each connection may be another one's.
      const all = await Promise.all(Array.from({ length: 16 }, shown))
      expect(new Set(all)).toEqual(new Set(['new']))
    })
    kept.socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(kept, '"status":"healthy"')
    kept.socket.destroy()
  })

  it('changes nothing where the new configuration is not valid, and goes on', async () => {
    const server = await startReady()
    await rewrite('server: { port: many }\n')
    server.child.kill('SIGHUP')
    const line = await eventually(() => {
      const found = server.lines().find(({ msg }) => msg.startsWith('the configuration is not valid, and all stays'))
      return found ?? Promise.reject(new Error('not told'))
    })
    expect(line).toMatchObject({ level: 'ERROR', msg: expect.stringContaining('server.port') as string })
    expect((await ask('/health/ready')).status).toBe(200)
    const refused = reload()
    expect(refused.status).toBe(2)
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'usage' } })
    await rewrite(baseConfig())
    server.child.kill('SIGHUP')
    await readAgain(server)
  })

  it('sets limits for what comes from then on, and names what waits for a start', async () => {
    const server = await startReady()
    await rewrite(
      [
        `server: { host: 127.0.0.1, port: ${here.ports.server}, max_connections: 150, worker_threads: 3 }`,
        `metrics: { port: ${here.ports.metrics} }`,
        'security: { auth: none }',
        'performance: { keep_alive_timeout_ms: 300 }',
        'logging: { level: WARN }',
        '',
      ].join('\n'),
    )
    const { status, stdout } = reload()
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      reloaded: ['server.max_connections', 'performance.keep_alive_timeout_ms', 'logging.level'],
      needs_restart: ['server.worker_threads'],
    })
    await server.logged('server.worker_threads takes effect at the next start only')
    // Told as a warning; what came of it as a whole would have been below the new level.
    expect(server.lines().some(({ msg }) => msg === 'the configuration was read again')).toBe(false)
    const wire = await dial()
    wire.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(wire, '{"live":true}')
    // The old limit was a minute.
    await wire.ended
  })

  it('takes the new key of tokens, and none that was signed with the old one', async () => {
    const [before, after] = ['a'.repeat(40), 'b'.repeat(40)]
    const secret = join(here.root, 'secret')
    await writeFile(secret, before)
    const config = `${baseConfig('token')}auth: { jwt_secret_file: /secret }\n`
    const server = await startReady({ config })
    const status = async (key: string) =>
      (await ask('/v1/records/things/x', here.ports.server, { authorization: `Bearer ${makeToken({ key })}` })).status
    const known = { authorization: `Bearer ${makeToken({ key: before })}` }
    const ofKnown = async () => (await ask('/v1/records/things/x', here.ports.server, known)).status
    expect([await status(before), await status(after), await ofKnown()]).toEqual([404, 401, 404])
    await writeFile(secret, after)
    server.child.kill('SIGHUP')
    await readAgain(server)
    await eventually(async () => {
      for (let n = 0; n < 8; n += 1) {
        expect([await status(before), await status(after), await ofKnown()]).toEqual([401, 404, 401])
      }
    })
  })
})
