import { expect, test } from 'vitest'
import { exposureOf, exposures } from '../../../src/config/exposure.ts'
import { parseServerConfig } from '../../../src/config/server-config.ts'

test.each([
  ...['127.0.0.1', '127.9.9.9', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.1.1'],
  ...['100.64.0.1', '::1', 'fd00::1', 'fe80::1', 'fe80::1%eth0', '::ffff:10.0.0.1', 'localhost', 'metrics.example.com'],
])('%s is no reason for a warning', (address) => {
  expect(exposureOf(address, 9090)).toEqual([])
})

test.each(['8.8.8.8', '172.32.0.1', '192.169.0.1', '100.128.0.1', '2001:db8::1', '::ffff:8.8.8.8'])(
  '%s is an address from which others ask too',
  (address) => {
    expect(exposureOf(address, 9090)).toEqual([
      `metrics.host: ${address} is an address that is no internal one: /metrics asks nobody for a token. Name an internal address, or keep others from port 9090 by a firewall (guide: Firewall Rules)`,
    ])
  },
)

test.each(['0.0.0.0', '::'])('%s is every address', (address) => {
  expect(exposureOf(address, 1)[0]).toMatch(/ is every address of the host: .* port 1 by a firewall/)
})

const ofDatabase = (keys: string): readonly string[] =>
  exposures(parseServerConfig(`security: { auth: none }\ndatabase: { ${keys} }`, 'c'))

test.each([
  'driver: sqlite, host: db1',
  'driver: postgres',
  'driver: postgres, host: 127.0.0.1, read_replicas: ["[::1]:5433", localhost]',
  'driver: postgres, host: db1, ssl_mode: require',
  'driver: postgres, host: db1, ssl_ca_file: /ca.crt',
])('a database with { %s } is no reason for a warning', (keys) => {
  expect(ofDatabase(keys)).toEqual([])
})

test('a database that is reached over a network without TLS is', () => {
  expect(ofDatabase('driver: postgres, host: db1, read_replicas: ["10.0.0.2:1", localhost, db1]')).toEqual([
    'database.ssl_mode: disable: whoever is on the way to db1, 10.0.0.2 can read and change what goes there. Have the database speak TLS, and name its authority by database.ssl_ca_file',
  ])
})
