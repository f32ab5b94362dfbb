import { describe, expect, it } from 'vitest'
import { parseServerConfig } from '../../../../src/config/server-config.ts'
import { logTargets } from '../../../../src/server/logs/targets.ts'

const usual = { maxSize: 100e6, maxBackups: 10 }
const day = 86_400_000
const errorLog = {
  ...{ kind: 'file', of: 'server', level: 'ERROR', path: '/var/log/network/error.log', needed: false },
  rotation: { ...usual, maxAge: 180 * day },
}
const accessLog = {
  ...{ kind: 'file', of: 'access', level: 'INFO', path: '/var/log/network/access.log', needed: false },
  rotation: { ...usual, maxAge: 90 * day },
}
const console = (level: string) => ({ kind: 'console', of: 'server', level })
const file = (path: string, level = 'INFO', more: object = {}) => ({
  ...{ kind: 'file', of: 'server', level, path, needed: true },
  ...more,
})
const syslog = (address: object, level = 'INFO', facility = 'user') => ({
  ...{ kind: 'syslog', of: 'server', level, facility, address },
})

describe('log targets', () => {
  it.each([
    ['', [console('INFO')]],
    ['logging: { level: ERROR, file: /a }', [console('ERROR'), file('/a', 'ERROR')]],
    ['logging: { outputs: [{ type: file, path: /a, level: DEBUG }] }', [file('/a', 'DEBUG')]],
    ['logging: { file: /a, outputs: [{ type: file, path: /a }] }', [file('/a')]],
    ['logging: { file: /a, outputs: [{ type: file, path: /b }] }', [file('/b'), file('/a')]],
    [
      'logging: { file: /a, max_size_mb: 5 }',
      [console('INFO'), file('/a', 'INFO', { rotation: { maxSize: 5_000_000 } })],
    ],
    [
      'logging: { file: /a, max_files: 3 }',
      [console('INFO'), file('/a', 'INFO', { rotation: { maxSize: 100e6, maxBackups: 3 } })],
    ],
    [
      'logging: { outputs: [{ type: file, path: /a, rotation: { max_age: 1d } }] }',
      [file('/a', 'INFO', { rotation: { maxSize: 100e6, maxAge: day } })],
    ],
    [
      'logging: { level: WARN, outputs: [{ type: syslog }] }',
      [syslog({ over: 'udp', host: '127.0.0.1', port: 514 }, 'WARN')],
    ],
    [
      'logging: { outputs: [{ type: syslog, facility: local0, address: "tcp://[::1]:601" }] }',
      [syslog({ over: 'tcp', host: '::1', port: 601 }, 'INFO', 'local0')],
    ],
    [
      'logging: { outputs: [{ type: syslog, address: "tcp://logs.example.com" }] }',
      [syslog({ over: 'tcp', host: 'logs.example.com', port: 514 })],
    ],
    [
      'logging: { outputs: [{ type: syslog, address: "unix:/run/log.sock" }] }',
      [syslog({ over: 'unix', path: '/run/log.sock' })],
    ],
  ])('of %j are those that it names, and the error and access logs', (text, expected) => {
    expect(logTargets(parseServerConfig(text, 'config.yaml'), '/')).toEqual([...expected, errorLog, accessLog])
  })

  it('leave out what is not enabled', () => {
    const text = 'access_log: { enabled: false }\nerror_log: { enabled: false }'
    expect(logTargets(parseServerConfig(text, 'config.yaml'), '/')).toEqual([console('INFO')])
  })

  it('lie below the root', () => {
    const text = 'logging: { file: /a, outputs: [{ type: syslog, address: "unix:/run/log" }] }'
    expect(logTargets(parseServerConfig(text, 'config.yaml'), '/srv')).toEqual([
      syslog({ over: 'unix', path: '/srv/run/log' }),
      file('/srv/a'),
      { ...errorLog, path: `/srv${errorLog.path}` },
      { ...accessLog, path: `/srv${accessLog.path}` },
    ])
  })
})
