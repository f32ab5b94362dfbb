// Listening sockets that a supervisor holds for its service, as systemd does with a .socket unit: bound here once, passed to
// each process of the service (sd_listen_fds(3)), which alone listens on them and accepts. Between two of its processes the
// kernel keeps who connects waiting.
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import * as z from 'zod'
import type { HostPaths } from '../../model/paths.ts'
import { readTextIfAny } from '../../system/files.ts'

interface SocketAddress {
  readonly address: string
  readonly port: number
}

/** The addresses of a socket unit's text, in its order (systemd.socket(5), ListenStream=). */
export const addressesIn = (unit: string): readonly SocketAddress[] =>
  [...unit.matchAll(/^ListenStream=(?:\[([^\]\s]+)\]|([^\s:[\]]+)):(\d+)$/gm)].map(([, v6, v4, port]) => ({
    address: v6 ?? v4 ?? '',
    port: Number(port),
  }))

/** As it stands in a socket unit. */
export const showSocket = ({ address, port }: SocketAddress): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** What a root's service is to have; none where nothing is deployed that takes them. */
export const readSockets = async ({ socket }: Pick<HostPaths, 'socket'>): Promise<readonly SocketAddress[]> =>
  addressesIn((await readTextIfAny(socket)) ?? '')

/** Node's own handle of a socket: cluster passes such ones to its workers. */
const boundHandle = z.object({
  fd: z.int().min(0),
  getsockname: z.custom<(into: Record<string, unknown>) => number>((given) => typeof given === 'function'),
  close: z.custom<() => void>((given) => typeof given === 'function'),
})
type Bind = (...args: [address: string, port: number, family: 4 | 6, fd: number, flags: number]) => unknown
const binder = z.object({ _createServerHandle: z.custom<Bind>((given) => typeof given === 'function') })

// uv.h: UV_TCP_REUSEPORT. Each thread of the service has a queue of its own, and the kernel shares connections out.
const [alone, reusePort] = [0, 2]

/** Sockets that are held until {@link HeldSockets.letGo}. */
export interface HeldSockets {
  readonly addresses: readonly SocketAddress[]
  /** Their descriptors in this process, in the order of the addresses. */
  readonly descriptors: readonly number[]
  letGo(): void
}

/**
 * Binds sockets without listening on them: net.Server would accept, too.
 * @throws Error where one cannot be had, in words; then none is held
 */
export function holdSockets(addresses: readonly SocketAddress[]): HeldSockets {
  const handles: z.infer<typeof boundHandle>[] = []
  const letGo = (): void => handles.forEach((handle) => handle.close())
  try {
    // Whoever shares its port, such as another root's service, would share ours too.
    for (const at of distinct(addresses)) bind(at, alone).close()
    for (const at of addresses) handles.push(bind(at, reusePort))
  } catch (error) {
    letGo()
    throw error
  }
  return { addresses, descriptors: handles.map(({ fd }) => fd), letGo }
}

const distinct = (addresses: readonly SocketAddress[]): readonly SocketAddress[] => [
  ...new Map(addresses.map((at) => [showSocket(at), at])).values(),
]

function bind(at: SocketAddress, flags: number) {
  const { _createServerHandle: create } = binder.parse(net)
  const made = create(at.address, at.port, net.isIPv6(at.address) ? 6 : 4, -1, flags)
  if (typeof made === 'number') throw cannotBind(at, getSystemErrorName(made))
  // `this` of its methods is the handle: what parse makes is a copy.
  boundHandle.parse(made)
  const handle = made as z.infer<typeof boundHandle>
  const name: Record<string, unknown> = {}
  handle.getsockname(name)
  if (name.port === at.port) return handle
  handle.close()
  // libuv keeps this error for the call that listens, which is not made here.
  throw cannotBind(at, 'EADDRINUSE')
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another process',
  EACCES: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this host has no such address',
}

const cannotBind = (at: SocketAddress, code: string): Error =>
  new Error(`cannot listen on ${showSocket(at)} (server.host, server.port, server.tls_port): ${reasons[code] ?? code}`)

/**
 * What tells a process of its sockets, but for whose they are. The kernel tells the port of those that listen alone; so each
 * has its port as its name.
 */
export const passedBy = ({ addresses }: HeldSockets): Readonly<Record<string, string>> =>
  addresses.length === 0
    ? {}
    : { LISTEN_FDS: `${addresses.length}`, LISTEN_FDNAMES: addresses.map(({ port }) => `${port}`).join(':') }

/** A command as the process that sockets are passed to: what a shell becomes keeps its number, which it can name before. */
export const passedTo = (argv: readonly string[], { addresses }: HeldSockets): readonly string[] =>
  addresses.length === 0 ? argv : ['/bin/sh', '-c', 'export LISTEN_PID=$$; exec "$0" "$@"', ...argv]
