// What a user of config.yaml sees: which files are accepted, and for the others the exact lines.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkServerConfig, notYetInEffect, parseServerConfig } from '../../../src/config/server-config.ts'
import { formatProblems } from '../../../src/config/problems.ts'
import type { NetopsError } from '../../../src/model/errors.ts'

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/config', name), 'utf8')

const linesOf = (text: string, env: Record<string, string> = {}): string => {
  const checked = checkServerConfig(text, 'config.yaml', env)
  return 'problems' in checked ? formatProblems(checked.problems) : 'valid'
}

describe('the guide', () => {
  it('has its configuration accepted word for word', () => {
    const config = parseServerConfig(fixture('guide-config.yaml'), 'config.yaml')
    expect(config).toEqual({
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
      metrics: { host: '127.0.0.1', port: 9090 },
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
      { type: 'syslog', level: 'ERROR', facility: 'local0' },
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
    expect(parseServerConfig(text, 'config.yaml')).toEqual({
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
    'security: { allowed_origins: ["*", "http://localhost:3000"] }',
    'metrics: { port: 9100, host: 10.0.0.1 }',
    '\uFEFFserver:\r\n  port: 81\r\n',
    'server: &a { port: 81 }\nmetrics: { port: 82 }',
  ])('may say %s', (text) => {
    expect(linesOf(text)).toBe('valid')
  })
})

const levels = 'expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL'
const sections = 'expected one of server, security, performance, logging, metrics'
const port = 'expected a whole number from 1 to 65535'

const bad: readonly (readonly [text: string, ...lines: string[]])[] = [
  ['server:\n  max_conections: 5', '2:3 server.max_conections: unknown key; did you mean max_connections?'],
  ['Server:\n  port: 1', '1:1 Server: unknown key; did you mean server?'],
  ['port: 8080', `1:1 port: unknown key; ${sections}`],
  ['"a b": 1', `1:1 "a b": unknown key; ${sections}`],
  ['__proto__: 1', `1:1 __proto__: unknown key; ${sections}`],
  ['<<: { port: 1 }', `1:1 "<<": unknown key; ${sections}`],
  ['server:\n  port: 0', `2:9 server.port: ${port}, not 0`],
  ['server:\n  port: 65536', `2:9 server.port: ${port}, not 65536`],
  ['server:\n  port: -1', `2:9 server.port: ${port}, not -1`],
  ['server:\n  port: 80.5', `2:9 server.port: ${port}, not 80.5`],
  ['server:\n  port: "8080"', `2:9 server.port: ${port}, not "8080"; did you mean 8080 without quotes?`],
  ['server:\n  port: http', `2:9 server.port: ${port}, not "http"`],
  ['server:\n  port:', `2:3 server.port: ${port}, not an empty value`],
  ['server:\n  port: [8080]', `2:9 server.port: ${port}, not a list`],
  ['server:\n  port: .inf', `2:9 server.port: ${port}, not Infinity`],
  ['server:\n  host: a b', '2:9 server.host: expected a host name or an IP address, not "a b"'],
  ['server:\n  host: 256.0.0.1', '2:9 server.host: expected a host name or an IP address, not "256.0.0.1"'],
  ['server:\n  host: 8080', '2:9 server.host: expected a host name or an IP address, not 8080'],
  ['server:\n  max_connections: 0', '2:20 server.max_connections: expected a whole number of at least 1, not 0'],
  ['server:\n  worker_threads: 0', '2:19 server.worker_threads: expected auto or a whole number of at least 1, not 0'],
  [
    'server:\n  worker_threads: atuo',
    '2:19 server.worker_threads: expected auto or a whole number of at least 1, not "atuo"; did you mean auto?',
  ],
  ['server: 8080', '1:9 server: expected a mapping, not 8080'],
  ['server:\n  - port: 1', '2:3 server: expected a mapping, not a list'],
  ['- server', '1:1: expected a mapping, not a list'],
  ['hello', '1:1: expected a mapping, not "hello"'],
  ['security: { ssl_enabled: on }', '1:26 security.ssl_enabled: expected true or false, not "on"'],
  ['security: { cert_file: server.crt }', '1:24 security.cert_file: expected an absolute path, not "server.crt"'],
  [
    'security:\n  allowed_origins: https://a.example',
    '2:20 security.allowed_origins: expected a list, not "https://a.example"',
  ],
  [
    'security:\n  allowed_origins:\n    - https://a.example\n    - https://b.example/app',
    '4:7 security.allowed_origins[1]: expected an origin such as https://app.example.com, or *, not "https://b.example/app"',
  ],
  [
    'performance: { max_request_size: 10 megs }',
    '1:34 performance.max_request_size: expected a size such as 512KB, 100MB or 1GiB, not "10 megs"',
  ],
  [
    'performance: { max_request_size: 2GB }',
    '1:34 performance.max_request_size: expected a size from 1B to 1.0 GB, not "2GB"',
  ],
  [
    'performance: { max_request_size: 0 }',
    '1:34 performance.max_request_size: expected a whole number from 1 to 1000000000 or a size such as 10MB, not 0',
  ],
  [
    'performance: { request_timeout_ms: 30s }',
    '1:36 performance.request_timeout_ms: expected a whole number from 1 to 86400000, not "30s"',
  ],
  ['logging:\n  level: INOF', `2:10 logging.level: ${levels}, not "INOF"; did you mean INFO?`],
  ['logging:\n  level: info', `2:10 logging.level: ${levels}, not "info"; did you mean INFO?`],
  ['logging:\n  level: 3', `2:10 logging.level: ${levels}, not 3`],
  ['logging: { format: text }', '1:20 logging.format: expected json, not "text"'],
  ['logging: { outputs: [] }', '1:21 logging.outputs: expected a list with at least 1 item, not an empty list'],
  [
    'logging:\n  outputs:\n    - type: fle',
    '3:13 logging.outputs[0].type: expected console, file or syslog, not "fle"; did you mean file?',
  ],
  ['logging:\n  outputs:\n    - type: file', '3:7 logging.outputs[0].path: missing; expected an absolute path'],
  [
    'logging:\n  outputs:\n    - type: file\n      path: /a\n      rotation: { max_age: 30 days }',
    '5:28 logging.outputs[0].rotation.max_age: expected a duration such as 500ms, 30s, 5m, 2h, 1d or 2w, not "30 days"',
  ],
  [
    'logging:\n  outputs:\n    - { type: console, lvl: INFO }',
    '3:24 logging.outputs[0].lvl: unknown key; expected one of type, level, format',
  ],
  ['metrics: { port: 8080 }', '1:18 metrics.port: expected another port than server.port, not 8080'],
  ['server: { tls_port: 9090 }', '1:21 server.tls_port: expected another port than metrics.port, not 9090'],
  ['server:\n  port: 1\n  port: 2', '3:3: not valid YAML: duplicate key: it is already set above'],
  ['server:\n\tport: 1', '2:1: not valid YAML: tab characters must not be used in indentation'],
  ['server: { port: 1', '1:18: not valid YAML: unexpected end of the stream within a flow collection'],
  ['server: *missing', '1:10: not valid YAML: unidentified alias "missing"'],
  ['server: &a { port: *a }', '1:20: not valid YAML: an alias stands inside of what it refers to'],
  ['server: !!js/function x', '1:9: not valid YAML: unknown scalar tag !<tag:yaml.org,2002:js/function>'],
  ['? [a, b]\n: 1', '1:1: not valid YAML: a key must be a single word or text'],
  ['server: {}\n---\nserver: {}', '2:1: not valid YAML: a second document begins here; expected only one'],
  ['"\\x1b[31m\\u202e": 1', `1:1 "\\u001b[31m\\u202e": unknown key; ${sections}`],
  [
    'sever:\n  port: 1\nserver:\n  port: x\n  hots: y\nlogging: { level: LOUD }',
    '1:1 sever: unknown key; did you mean server?',
    `4:9 server.port: ${port}, not "x"`,
    '5:3 server.hots: unknown key; did you mean host?',
    `6:19 logging.level: ${levels}, not "LOUD"`,
  ],
]

describe('an invalid configuration', () => {
  it.each(bad)('is refused with every problem and its place: %j', (text, ...lines) => {
    const expected = lines.map((line) => `config.yaml:${line}`).join('\n')
    expect(linesOf(text)).toBe(expected)
    expect(() => parseServerConfig(text, 'config.yaml')).toThrow(
      expect.objectContaining({ code: 'usage', exit: 2, message: expected }) as NetopsError,
    )
  })

  it('is told in lines that begin with the file, whatever the guide’s files are turned into', () => {
    const texts = ['guide-config.yaml', 'guide-logging.yaml', 'guide-scale-up.yaml'].map(fixture)
    const piece = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.stringMatching(/^[\n :[\]{}&*#"'|>~0-]$/))
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(20), piece, (text, at, cut, put) => {
        const start = at % text.length
        const told = linesOf(text.slice(0, start) + put + text.slice(start + cut))
        if (told !== 'valid') for (const line of told.split('\n')) expect(line).toMatch(/^config\.yaml:\d+:\d+[ :]/)
      }),
      { numRuns: 3000 },
    )
  })

  it('is listed for at most a hundred lines', () => {
    const text = Array.from({ length: 5000 }, (_, index) => `zzzzzz${index}: 1`).join('\n')
    const lines = linesOf(text).split('\n')
    expect(lines).toHaveLength(101)
    expect(lines.at(-1)).toBe('and 4900 more problems')
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
    const config = parseServerConfig(fixture('guide-config.yaml'), 'config.yaml', env)
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
    const config = parseServerConfig(fixture('guide-scale-up.yaml'), 'config.yaml', env)
    expect(config.server.worker_threads).toBe(8)
    expect(config.performance).toMatchObject({ connection_pool_size: 50, buffer_size: 65_536 })
    expect(parseServerConfig('', 'config.yaml', { NETWORK_SERVER_WORKER_THREADS: 'auto' }).server.worker_threads).toBe(
      'auto',
    )
  })

  it('sets the level of each single output too', () => {
    const config = parseServerConfig(fixture('guide-logging.yaml'), 'config.yaml', { NETWORK_LOG_LEVEL: 'TRACE' })
    expect(config.logging.outputs?.map(({ level }) => level)).toEqual(['TRACE', 'TRACE', 'TRACE'])
  })

  it('is left alone where a variable is empty', () => {
    expect(parseServerConfig('', 'config.yaml', { NETWORK_SERVER_PORT: '' }).server.port).toBe(8080)
  })

  it.each([
    ['NETWORK_SERVER_PORT', 'abc', `server.port: ${port}, not "abc"`],
    ['NETWORK_SERVER_PORT', '70000', `server.port: ${port}, not 70000`],
    ['NETWORK_SERVER_HOST', 'a b', 'server.host: expected a host name or an IP address, not "a b"'],
    ['NETWORK_LOG_LEVEL', 'debug', `logging.level: ${levels}, not "debug"; did you mean DEBUG?`],
    ['NETWORK_SSL_ENABLED', 'yes', 'security.ssl_enabled: expected true or false, not "yes"'],
    ['NETWORK_MAX_CONNECTIONS', '0', 'server.max_connections: expected a whole number of at least 1, not 0'],
    [
      'NETWORK_SERVER_WORKER_THREADS',
      '0',
      'server.worker_threads: expected auto or a whole number of at least 1, not 0',
    ],
    [
      'NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE',
      'x',
      'performance.connection_pool_size: expected a whole number of at least 1, not "x"',
    ],
    [
      'NETWORK_PERFORMANCE_BUFFER_SIZE',
      '0',
      'performance.buffer_size: expected a whole number from 1 to 1000000000 or a size such as 10MB, not 0',
    ],
  ])('is named when %s is %j', (name, value, message) => {
    expect(linesOf('', { [name]: value })).toBe(`${name} ${message}`)
  })
})

describe('what is not yet in effect', () => {
  const notes = (text: string): string[] => notYetInEffect(parseServerConfig(text, 'config.yaml'))

  it('is nothing for the defaults and for keys that do what they say', () => {
    expect(notes('')).toEqual([])
    expect(notes('server: { port: 81, worker_threads: 1, max_connections: 5 }\nlogging: { file: /a }')).toEqual([])
  })

  it('names every such key of the guide’s configuration, and that there is no TLS', () => {
    expect(notes(fixture('guide-config.yaml'))).toEqual([
      'security.ssl_enabled is true, but this release has no TLS listener: all traffic is PLAIN HTTP',
      'security.cert_file and security.key_file: this release does not read them',
      'security.allowed_origins: this release sends no CORS headers',
      'server.worker_threads is 4, but this release serves from one thread',
      'performance.connection_pool_size: this release has no pool',
      'logging.max_size_mb and logging.max_files: this release does not rotate its log file',
    ])
  })

  it('names rotation and syslog of the guide’s outputs', () => {
    expect(notes(fixture('guide-logging.yaml'))).toEqual([
      'logging.outputs[1].rotation: this release does not rotate its log file',
      'logging.outputs[2]: this release does not write to syslog',
    ])
  })

  it('names buffers and threads of the guide’s scale-up block', () => {
    expect(notes(fixture('guide-scale-up.yaml'))).toEqual([
      'server.worker_threads is 32, but this release serves from one thread',
      'performance.connection_pool_size: this release has no pool',
      'performance.buffer_size: this release leaves buffers to the system',
    ])
  })
})
