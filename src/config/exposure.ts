// Who can reach what: operators' figures and records where others could read them, and records that nobody can reach.
import { BlockList, isIP } from 'node:net'
import { replicaAddress } from '../model/addresses.ts'
import { once } from '../model/schema-notes.ts'
import type { ServerConfig } from '../model/server-config.ts'

// Loopback, and what is routed within an organisation or a link only (RFC 1122, 1918, 3927, 6598, 4193, 4291).
const internal = once(() => {
  const list = new BlockList()
  list.addSubnet('127.0.0.0', 8)
  list.addSubnet('10.0.0.0', 8)
  list.addSubnet('172.16.0.0', 12)
  list.addSubnet('192.168.0.0', 16)
  list.addSubnet('169.254.0.0', 16)
  list.addSubnet('100.64.0.0', 10)
  list.addAddress('::1', 'ipv6')
  list.addSubnet('fc00::', 7, 'ipv6')
  list.addSubnet('fe80::', 10, 'ipv6')
  return list
})

/**
 * What to know about an address that metrics are served on; nothing where it is an internal one.
 * @param address as it is listened on, or a name, of which nothing is known before its address is
 */
export function exposureOf(address: string, port: number): readonly string[] {
  const bare = address.split('%')[0] ?? address
  const family = isIP(bare)
  if (family === 0 || internal().check(bare, family === 6 ? 'ipv6' : 'ipv4')) return []
  const everywhere = bare === '0.0.0.0' || bare === '::'
  const where = everywhere ? 'every address of the host' : 'an address that is no internal one'
  return [
    `metrics.host: ${address} is ${where}: /metrics asks nobody for a token. Name an internal address, or keep others from port ${port} by a firewall (guide: Firewall Rules)`,
  ]
}

/** What to know of connections to the database; nothing where they do not leave the host, or are encrypted. */
function databaseExposure({ driver, host, port, ssl_mode, read_replicas = [] }: ServerConfig['database']) {
  if (driver === 'sqlite' || ssl_mode !== 'disable') return []
  const hosts = [host, ...read_replicas.map((text) => replicaAddress(text, port).host)]
  const beyond = [...new Set(hosts.filter((name) => !staysHere(name)))]
  return beyond.length === 0
    ? []
    : [
        `database.ssl_mode: disable: whoever is on the way to ${beyond.join(', ')} can read and change what goes there. Have the database speak TLS, and name its authority by database.ssl_ca_file`,
      ]
}

const staysHere = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\.[\d.]+$/.test(host)

/** What to know of a configuration: the same, and whether any request can be let in. */
export const exposures = ({ auth, database, metrics, security }: ServerConfig): readonly string[] => [
  ...exposureOf(metrics.host, metrics.port),
  ...databaseExposure(database),
  ...(security.auth === 'token' && auth.jwt_secret === undefined && auth.jwt_secret_file === undefined ? [nobody] : []),
]

const nobody =
  'security.auth: token, and no key to know tokens by: everything but health is refused. Name a file with the key by auth.jwt_secret_file, or write security.auth: none'
