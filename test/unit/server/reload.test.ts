import { describe, expect, it } from 'vitest'
import { readServerConfig } from '../../../src/config/server-config.ts'
import { NetopsError } from '../../../src/model/errors.ts'
import { createReloader, type InEffect, type Loaded } from '../../../src/server/reload.ts'

const loaded = (yaml: string, files: Partial<Loaded['credentials']> = {}): Loaded => ({
  config: readServerConfig(yaml, 'config.yaml').value,
  credentials: { tls: undefined, tokenKey: undefined, notes: [], ...files },
  warnings: [],
})
const base = 'security: { auth: none }\n'
const limits = (most: number, alive: number) =>
  `${base}server: { max_connections: ${most} }\nperformance: { keep_alive_timeout_ms: ${alive} }\n`

function begin(
  started: Loaded,
  reads: readonly (Loaded | Error)[],
  levels: boolean | ((config: Loaded['config']) => boolean) = false,
) {
  const told: string[] = []
  const applied: InEffect[] = []
  let at = 0
  const tell = (word: string) => (_fields: object | string, message?: string) =>
    void told.push(`${word}: ${message ?? ''}`)
  const reloader = createReloader({
    started,
    read: () => {
      const next = reads[at++]
      return next instanceof Error || next === undefined
        ? Promise.reject(next ?? new Error('no more'))
        : Promise.resolve(next)
    },
    setLevels: (config) => (typeof levels === 'boolean' ? levels : levels(config)),
    apply: (now) => applied.push(now),
    log: { info: tell('info'), warn: tell('warn'), error: tell('error') },
  })
  return { reloader, told, applied }
}

describe('reading the configuration again', () => {
  it('puts in effect what can be, and names what cannot until the next start', async () => {
    const { reloader, applied, told } = begin(loaded(base), [
      loaded(`${limits(700, 9000)}metrics: { port: 1 }\n`),
      loaded(`${limits(800, 9000)}metrics: { port: 1 }\n`),
    ])
    expect(await reloader.reload()).toEqual({
      reloaded: ['server.max_connections', 'performance.keep_alive_timeout_ms'],
      needs_restart: ['metrics.port'],
    })
    expect(applied.at(-1)?.config).toMatchObject({
      server: { max_connections: 700 },
      performance: { keep_alive_timeout_ms: 9000 },
      metrics: { port: 9090 },
    })
    expect(told).toContain('warn: metrics.port takes effect at the next start only')
    // It still waits for a start.
    expect(await reloader.reload()).toEqual({ reloaded: ['server.max_connections'], needs_restart: ['metrics.port'] })
    expect(reloader.current().config.server.max_connections).toBe(800)
  })

  it('leaves all as it was where the configuration is not valid, and says so to the log and to whoever asked', async () => {
    const fault = new NetopsError('usage', { message: 'config.yaml:1:1 server.port: expected a number' })
    const { reloader, applied, told } = begin(loaded(base), [fault, loaded(limits(7, 9000))])
    await expect(reloader.reload()).rejects.toBe(fault)
    expect(applied).toEqual([])
    expect(told).toEqual([`error: the configuration is not valid, and all stays as it was: ${fault.message}`])
    await reloader.reload()
    expect(applied.length).toBe(1)
  })

  it('takes a new certificate and a new key of tokens, and tells where nothing has changed', async () => {
    const token = 'security: { auth: token }\nauth: { jwt_secret_file: /x }\n'
    const files = (cert: string, key: string) => ({
      tls: { cert: Buffer.from(cert), key: Buffer.from('k') },
      tokenKey: Buffer.from(key),
    })
    const { reloader, applied } = begin(loaded(token, files('a', 'a')), [
      loaded(token, files('a', 'a')),
      loaded(token, files('b', 'b')),
    ])
    expect(await reloader.reload()).toEqual({ reloaded: [], needs_restart: [] })
    expect(await reloader.reload()).toEqual({ reloaded: ['the certificate', "the tokens' key"], needs_restart: [] })
    expect(applied.at(-1)).toMatchObject(files('b', 'b'))
  })

  it('neither opens nor closes the port for TLS, nor asks for tokens where none were, nor stops asking', async () => {
    const token = 'security: { auth: token }\nauth: { jwt_secret_file: /x }\n'
    const key = Buffer.from('key')
    const { reloader, applied } = begin(loaded(token, { tokenKey: key }), [
      loaded(base, { tls: { cert: 'c' }, tokenKey: undefined }),
    ])
    expect((await reloader.reload()).needs_restart).toContain('security.auth')
    expect(applied.at(-1)).toMatchObject({ tls: undefined, tokenKey: key, config: { security: { auth: 'token' } } })
  })

  it('leaves the logs to a start where more than levels has changed', async () => {
    const next = loaded(`${base}logging: { level: DEBUG }\n`)
    expect(await begin(loaded(base), [next], true).reloader.reload()).toMatchObject({ reloaded: ['logging.level'] })
    expect(await begin(loaded(base), [next], false).reloader.reload()).toMatchObject({
      needs_restart: ['logging.level'],
    })
  })

  it('takes over levels, that of the error log too, whatever else of the logs waits for a start', async () => {
    const next = loaded(
      `${base}logging: { level: DEBUG }\nerror_log: { level: WARN, max_files: 3 }\naccess_log: { enabled: false }\n`,
    )
    const asked: Loaded['config'][] = []
    const { reloader } = begin(loaded(base), [next], (config) => asked.push(config) > 0)
    expect(await reloader.reload()).toEqual({
      reloaded: ['logging.level', 'error_log.level'],
      needs_restart: ['access_log.enabled', 'error_log.max_files'],
    })
    expect(asked).toMatchObject([
      {
        logging: { level: 'DEBUG' },
        error_log: { level: 'WARN', max_files: 10 },
        access_log: { enabled: true },
      },
    ])
  })
})
