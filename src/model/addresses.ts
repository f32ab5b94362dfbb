// Hosts and ports, as the configuration writes them and as they are shown.

/**
 * An entry of `database.read_replicas`: HOST, HOST:PORT or [IPv6]:PORT, already checked by the schema.
 * @param usual the port where none is written: that of the master
 */
export function replicaAddress(text: string, usual: number): { readonly host: string; readonly port: number } {
  const [, inBrackets, plain = '', given] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  return { host: inBrackets ?? plain, port: given === undefined ? usual : Number(given) }
}

/** `127.0.0.1:8080`, `[::1]:8080` */
export const showAddress = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
