// Names that a login is made of: whom, where, through whom. They come from files and from programs, and may end up in the
// line of a ProxyCommand, so what a shell would read as more than a name is none. Pure.

/** An interface behind an IPv6 address, as in `fe80::1%eth0` (RFC 4007, 11). */
const zone = '%[A-Za-z0-9_.-]{1,15}'

/** The shape of an IPv6 address with a zone; what stands before the zone is to be checked as an address of its own. */
export const zonedAddress = new RegExp(`^(?=.{0,40}%)[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]*:[0-9A-Fa-f.:]{0,15}${zone}$`)

/**
 * An account's name. OpenSSH refuses all of these but `$` (its ssh.c, valid_ruser); a shell would put a variable of the
 * operator there.
 */
export const userName = /^(?!-)(?!.*\s-)(?!.*\\$)[^\p{Cc}'`"$;&<>|(){}]+$/u

/** A name or address that ssh_config may give a host: what OpenSSH takes (its ssh.c, valid_hostname). */
export const reachedName = /^(?!-)[^\p{Cc}\s'`"$\\;&<>|(){},]+$/u

const hopUser = '(?:(?!-)(?<user>[^\\p{Cc}\\s\'`"$;&<>|()\\{\\},@\\/]+)(?<!\\\\)@)?'
const hopHost = `(?:\\[(?<inBrackets>[0-9A-Fa-f:.]+(?:${zone})?)\\]|(?<bare>[A-Za-z0-9_.][A-Za-z0-9_.:\\-]*?(?:${zone})?))`

/** `[user@]host[:port]`; an IPv6 address with a port stands in brackets. */
export const hop = new RegExp(`^${hopUser}${hopHost}(?::(?<port>\\d{1,5}))?$`, 'u')

/** The same without names, for a pattern of several. */
export const hopSource = hop.source.slice(1, -1).replace(/\(\?<\w+>/g, '(?:')

/** An address as a URL has it: an IPv6 address in brackets, its zone encoded (RFC 6874, 2). */
export const urlHost = (address: string): string =>
  address.includes(':') ? `[${address.replace('%', '%25')}]` : address
