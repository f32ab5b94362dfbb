// Opening the sockets that the service listens on, and what to say where that does not work.
import { createServer, type AddressInfo, type Server as NetServer } from 'node:net'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'

// Accepting is Node's part; how many may wait for it is the kernel's (guide: net.core.somaxconn), which cuts this to its own.
const backlog = 65_535

export interface At {
  readonly host: string
  readonly port: number
}

const problems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another process',
  EACCES: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOTFOUND: 'there is no such host name',
}

/**
 * Listens on an address.
 * @param how whether the other threads listen there too
 * @param keys what of the configuration says where, for the message
 * @throws NetopsError `failed`
 */
export function listen(server: NetServer, at: At, how: 'alone' | 'among threads', keys: string): Promise<void> {
  const options = { host: at.host, port: at.port, backlog, reusePort: how === 'among threads' }
  return opened(server, () => void server.listen(options), { at, keys })
}

/** Accepts from a socket that was passed to the process. */
export const listenOnPassed = (server: NetServer, descriptor: number, at: At, keys: string): Promise<void> =>
  // Beside a descriptor Node takes the number of its own: one among the options it would not see, and wait for 511.
  opened(server, () => void server.listen({ fd: descriptor }, backlog), { at, keys })

/**
 * Finds out whether an address is free, as threads that share it could share it with another process too.
 * @throws NetopsError `failed`
 */
export async function checkFree(at: At, keys: string): Promise<void> {
  const server = createServer()
  await listen(server, at, 'alone', keys)
  await new Promise((resolve) => server.close(resolve))
}

function opened(server: NetServer, open: () => void, { at, keys }: { at: At; keys: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      const reason = problems[systemCode(error) ?? ''] ?? messageOf(error)
      const message = `cannot listen on ${show({ address: at.host, port: at.port })} (${keys}): ${reason}`
      reject(new NetopsError('failed', { message, cause: error }))
    }
    server.once('error', onError)
    server.once('listening', () => {
      server.removeListener('error', onError)
      resolve()
    })
    open()
  })
}

export const addressOf = (server: NetServer): AddressInfo | null => {
  const address = server.address()
  return typeof address === 'object' ? address : null
}

/** `127.0.0.1:8080`, `[::1]:8080` */
export const show = (at: Pick<AddressInfo, 'address' | 'port'> | null | undefined): string => {
  if (at === null || at === undefined) return 'nowhere'
  return at.address.includes(':') ? `[${at.address}]:${at.port}` : `${at.address}:${at.port}`
}
