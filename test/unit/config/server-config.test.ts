// What a user of config.yaml sees: which files are accepted, and for the others the exact lines.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkServerConfig, parseServerConfig, readServerConfig } from '../../../src/config/server-config.ts'
import { formatProblems } from '../../../src/config/problems.ts'
import type { NetopsError } from '../../../src/model/errors.ts'
import { badEnvironments, badServerFiles } from '../../support/bad-config.ts'

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/config', name), 'utf8')

const linesOf = (text: string, env: Record<string, string> = {}): string => {
  const checked = checkServerConfig(text, 'config.yaml', { env })
  return 'problems' in checked ? formatProblems(checked.problems) : 'valid'
}

describe('the guide', () => {
  it('has its configuration accepted word for word', () => {
    const config = parseServerConfig(fixture('guide-config.yaml'), 'config.yaml')
    expect(config).toMatchObject({
      server: { host: '0.0.0.0', port: 8080, max_connections: 1000, worker_threads: 4 },
      security: {
        ssl_enabled: true,
        cert_file: '/etc/network/server.crt',
        key_file: '/etc/network/server.key',
        allowed_origins: ['https://trusted.domain.com'],
      },
      performance: {
        connection_pool_size: 100,
        request_timeout_ms: 30000,
        keep_alive_timeout_ms: 60000,
        max_request_size: 10485760,
      },
      logging: { level: 'INFO', file: '/var/log/network/server.log', max_size_mb: 100, max_files: 10, format: 'json' },
    })
  })

  it('has its logging outputs accepted on their own, with sizes and durations understood', () => {
    expect(parseServerConfig(fixture('guide-logging.yaml'), 'config.yaml').logging.outputs).toEqual([
      { type: 'console', level: 'INFO', format: 'json' },
      {
        type: 'file',
        level: 'DEBUG',
        path: '/var/log/network/server.log',
        rotation: { max_size: 100_000_000, max_age: 30 * 86_400_000, max_backups: 10 },
      },
      { type: 'syslog', level: 'ERROR', facility: 'local0', address: 'udp://127.0.0.1:514' },
    ])
  })

  it('has its scale-up block accepted on its own', () => {
    const { server, performance } = parseServerConfig(fixture('guide-scale-up.yaml'), 'config.yaml')
    expect(server).toMatchObject({ worker_threads: 32, max_connections: 10_000 })
    expect(performance).toMatchObject({ connection_pool_size: 1000, buffer_size: 1_048_576 })
  })
})

describe('a valid configuration', () => {
  it.each([
    ['an empty file', ''],
    ['comments only', '# nothing yet\n'],
    ['an empty document', '---\n'],
    ['a section whose keys are commented out', 'server:\n  # port: 8081\n'],
  ])('may be %s, and then holds the defaults', (_name, text) => {
    expect(parseServerConfig(text, 'config.yaml')).toMatchObject({
      server: { host: '0.0.0.0', port: 8080, max_connections: 1000 },
      security: { ssl_enabled: false },
      performance: { request_timeout_ms: 30_000, keep_alive_timeout_ms: 60_000, max_request_size: 10_485_760 },
      logging: { level: 'INFO', format: 'json' },
      metrics: { host: '127.0.0.1', port: 9090 },
    })
  })

  it.each([
    'server: { port: 1 }',
    'server: { port: 65535 }',
    'server: { host: "::1" }',
    'server: { host: web-1.example.com }',
    'server: { worker_threads: auto }',
    'server: { tls_port: 8443 }',
    'performance: { max_request_size: 100MB }',
    'security: { allowed_origins: ["*"] }',
    'security: { allowed_origins: ["http://localhost:3000", "https://[::1]"] }',
    'server: { tls_port: 9090 }',
    'server: { port: 0x1F90 }',
    'checkpoint: { interval: 1.5h, timeout: 90s }',
    '$schema: ./schemas/config.schema.json',
    'metrics: { port: 9100, host: 10.0.0.1 }',
    '\uFEFFserver:\r\n  port: 81\r\n',
    'server: &a { port: 81 }\nmetrics: { port: 82 }',
  ])('may say %s', (text) => {
    expect(linesOf(text)).toBe('valid')
  })
})

describe('an invalid configuration', () => {
  it.each(badServerFiles.map(({ text, lines }) => [text, ...lines]))(
    'is refused with every problem and its place: %j',
    (text, ...lines) => {
      const expected = lines.map((line) => `config.yaml:${line}`).join('\n')
      expect(linesOf(text)).toBe(expected)
      expect(() => parseServerConfig(text, 'config.yaml')).toThrow(
        expect.objectContaining({ code: 'usage', exit: 2, message: expected }) as NetopsError,
      )
    },
  )

  it('is listed for at most a hundred lines', () => {
    const text = Array.from({ length: 5000 }, (_, index) => `zzzzzz${index}: 1`).join('\n')
    const lines = linesOf(text).split('\n')
    expect(lines).toHaveLength(101)
    expect(lines.at(-1)).toBe('and at least 900 more problems')
  })
})

describe('the environment', () => {
  it('wins over the file for each of the guide’s five variables', () => {
    const env = {
      NETWORK_SERVER_HOST: '127.0.0.1',
      NETWORK_SERVER_PORT: '9000',
      NETWORK_LOG_LEVEL: 'DEBUG',
      NETWORK_SSL_ENABLED: 'false',
      NETWORK_MAX_CONNECTIONS: '5000',
    }
    const config = parseServerConfig(fixture('guide-config.yaml'), 'config.yaml', { env })
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 9000, max_connections: 5000, worker_threads: 4 })
    expect(config.security.ssl_enabled).toBe(false)
    expect(config.logging.level).toBe('DEBUG')
  })

  it('wins over the file for what tuning sets', () => {
    const env = {
      NETWORK_SERVER_WORKER_THREADS: '8',
      NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE: '50',
      NETWORK_PERFORMANCE_BUFFER_SIZE: '65536',
    }
    const config = parseServerConfig(fixture('guide-scale-up.yaml'), 'config.yaml', { env })
    expect(config.server.worker_threads).toBe(8)
    expect(config.performance).toMatchObject({ connection_pool_size: 50, buffer_size: 65_536 })
    expect(
      parseServerConfig('', 'config.yaml', { env: { NETWORK_SERVER_WORKER_THREADS: 'auto' } }).server.worker_threads,
    ).toBe('auto')
  })

  it('sets the level of each single output too', () => {
    const config = parseServerConfig(fixture('guide-logging.yaml'), 'config.yaml', {
      env: { NETWORK_LOG_LEVEL: 'TRACE' },
    })
    expect(config.logging.outputs?.map(({ level }) => level)).toEqual(['TRACE', 'TRACE', 'TRACE'])
  })

  it('is left alone where a variable is empty', () => {
    expect(parseServerConfig('', 'config.yaml', { env: { NETWORK_SERVER_PORT: '' } }).server.port).toBe(8080)
  })

  it.each(badEnvironments.map(({ env, text = '', lines }) => [env, text, lines] as const))(
    'is named with what is wrong: %j over %j',
    (env, text, lines) => {
      expect(linesOf(text, env)).toBe(lines.join('\n'))
    },
  )
})

describe('the origins of a value', () => {
  const text = 'server:\n  port: 82\nauth:\n  jwt_secret: planted-secret-of-more-than-32-characters\n'
  const { settings } = readServerConfig(text, 'config.yaml', {
    overrides: [{ path: ['server', 'port'], value: 83, said: { file: 'netops.yml', line: 7, column: 5 } }],
    env: { NETWORK_SERVER_PORT: '84', NETWORK_MAX_CONNECTIONS: '5000' },
    set: ['server.port=85'],
  })
  const of = (path: string) => settings.find((setting) => setting.path === path)

  it('are all four places and the fleet file, the one in effect first', () => {
    expect(of('server.port')).toMatchObject({
      value: 85,
      origins: [
        { from: 'option', said: '--set server.port', value: 85 },
        { from: 'environment', said: 'NETWORK_SERVER_PORT', value: 84 },
        { from: 'fleet', said: 'netops.yml:7:5', value: 83 },
        { from: 'file', said: 'config.yaml:2:9', value: 82 },
        { from: 'default', said: 'default', value: 8080 },
      ],
    })
    expect(of('server.max_connections')?.origins[0]).toMatchObject({ said: 'NETWORK_MAX_CONNECTIONS', value: 5000 })
  })

  it('never show a secret, only that it is set', () => {
    expect(of('auth.jwt_secret')).toMatchObject({
      value: '(set)',
      origins: [{ said: 'config.yaml:4:15', value: '(set)' }],
    })
    expect(JSON.stringify(settings.map(({ path, value, origins }) => ({ path, value, origins })))).not.toContain(
      'planted',
    )
  })

  it('are none where nothing is set, and the default that depends on others where there is one', () => {
    expect(of('security.cert_file')).toMatchObject({ value: undefined, origins: [] })
    expect(of('performance.connection_pool_size')).toMatchObject({ value: 100, origins: [{ said: 'default' }] })
  })

  it.each([
    ['server.prot=81', '--set: there is no key server.prot; did you mean server.port?'],
    ['server.port', '--set server.port: expected section.key=value'],
    ['=81', '--set: expected section.key=value'],
    ['server.port=x', `--set server.port server.port: expected a whole number from 1 to 65535, not "x"`],
    [
      'auth.jwt_secret=planted-secret',
      '--set auth.jwt_secret: a secret does not belong on a command line, where every user can read it',
    ],
  ])('of an option that is wrong are named: --set %s', (pair, line) => {
    const checked = checkServerConfig('', 'config.yaml', { set: [pair] })
    expect('problems' in checked && formatProblems(checked.problems)).toBe(line)
  })

  it('are told of variables that are probably misspelt, and of no others', () => {
    const env = { NETWORK_SERVER_PROT: '1', NETWORK_SERVICE_PORT: '1', NETWORK_INTERFACE: 'eth0', NETWORK_RELEASE: 'a' }
    expect(readServerConfig('', 'config.yaml', { env }).notes).toEqual([
      'NETWORK_SERVER_PROT: no such variable; did you mean NETWORK_SERVER_PORT?',
    ])
  })
})

describe('what is not yet in effect', () => {
  const notes = (text: string): string[] => [...readServerConfig(text, 'config.yaml').notes]

  it('is nothing for the defaults and for keys that do what they say', () => {
    expect(notes('')).toEqual([])
    expect(notes('server: { port: 81, worker_threads: 1, max_connections: 5 }\nlogging: { file: /a }')).toEqual([])
  })

  it('names every such key of the guide’s configuration, in the order of the schema', () => {
    expect(notes(fixture('guide-config.yaml'))).toEqual([
      'security.allowed_origins: this release sends no CORS headers',
      'performance.connection_pool_size: this release has no pool',
    ])
  })

  it('is nothing of the guide’s outputs', () => {
    expect(notes(fixture('guide-logging.yaml'))).toEqual([])
  })

  it('names pools and buffers of the guide’s scale-up block', () => {
    expect(notes(fixture('guide-scale-up.yaml'))).toEqual([
      'performance.connection_pool_size: this release has no pool',
      'performance.buffer_size: this release leaves buffers to the system',
    ])
  })
})
