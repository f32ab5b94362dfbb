// Who listens on this machine, read from /proc/net, and which of them is in the way of an address.
import { isIPv4, SocketAddress } from 'node:net'
import { readTextIfAny } from '../../system/files.ts'

export interface Listener {
  /** As inet_ntop(3) writes it; an IPv4 address in IPv6's form is written as IPv4. */
  readonly address: string
  readonly port: number
}

/** All that listen; none where there is no /proc. */
export async function readListeners(): Promise<readonly Listener[]> {
  const texts = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readTextIfAny(path)))
  return texts.flatMap((text) => listenersIn(text ?? ''))
}

/** The listeners of a `/proc/net/tcp` or `tcp6` text (proc(5): 0A is LISTEN; address and port are hexadecimal). */
export function listenersIn(text: string): readonly Listener[] {
  const lines = text.matchAll(/^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)
  return [...lines].map(([, address = '', port = '']) => ({
    address: addressIn(address),
    port: Number.parseInt(port, 16),
  }))
}

/** Words of 32 bits, each in the order of the processor: that of every processor that netops is built for is little-endian. */
function addressIn(words: string): string {
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse())
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  return plainAddress((bytes.join('').match(/.{4}/g) ?? []).join(':'))
}

/** An address as the kernel compares it: in one spelling, and IPv4 in IPv6's form as IPv4. */
export function plainAddress(address: string): string {
  if (isIPv4(address)) return address
  const [bare = '', zone] = address.split('%')
  const spelt = new SocketAddress({ address: bare, family: 'ipv6' }).address
  const whole = zone === undefined ? spelt : `${spelt}%${zone}`
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(spelt)?.[1] ?? whole
}

/** An address without its zone, which /proc/net does not tell. */
const withoutZone = (address: string): string => address.split('%')[0] ?? address

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::'

/**
 * Whether a listener keeps others from an address and port. Asked besides trying: a system may let two listeners share a
 * port (SO_REUSEADDR, which Node sets), of which the one on the exact address then gets the connections.
 *
 * `perhaps`: one on `::` takes IPv4 too, unless it asked not to, which /proc does not tell.
 */
export function isInTheWay(listener: Listener, wanted: Listener): 'surely' | 'perhaps' | 'no' {
  if (listener.port !== wanted.port) return 'no'
  // Node listens on :: for both families.
  if (wanted.address === '::') return 'surely'
  if (isIPv4(listener.address) === isIPv4(wanted.address)) {
    const meets =
      withoutZone(listener.address) === withoutZone(wanted.address) ||
      isWildcard(listener.address) ||
      isWildcard(wanted.address)
    return meets ? 'surely' : 'no'
  }
  return listener.address === '::' ? 'perhaps' : 'no'
}

/** Where to ask a listener who it is, if it is in the way of an address. */
export function addressToAsk(listener: Listener, wanted: Listener): string {
  if (!isWildcard(listener.address)) {
    return listener.address === withoutZone(wanted.address) ? wanted.address : listener.address
  }
  if (!isWildcard(wanted.address)) return wanted.address
  return listener.address === '::' && wanted.address === '::' ? '::1' : '127.0.0.1'
}
