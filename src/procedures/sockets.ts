// The listening sockets that are held for a service while it restarts: which they are, and the unit that says so.
import { isIP, isIPv4 } from 'node:net'
import { threadsFor } from '../model/scale.ts'
import { parseEnvironmentFile, serverSettings } from '../model/tuning.ts'
import { render } from '../system/template.ts'
import type { Listening } from './deploy/request.ts'

/** What of a host decides how many sockets its service has. */
interface SocketHost {
  readonly cores: number
  /** What tuning.env says; it wins over config.yaml. */
  readonly tuned: string
}

/**
 * The text of the socket unit: each address once for each thread that serves.
 * @returns undefined where the service listens by itself: its host is a name, which may come to mean another address, or an
 * address with a zone
 */
export function renderSockets(template: string, listen: Listening | undefined, host: SocketHost): string | undefined {
  if (listen === undefined) return undefined
  // RFC 6761, 6.3: it is the loopback address, whatever anybody says.
  const address = listen.host === 'localhost' ? '127.0.0.1' : listen.host
  if (isIP(address) === 0 || address.includes('%')) return undefined
  const threads = Array.from({ length: threadsOf(listen, host) })
  const shown = isIPv4(address) ? address : `[${address}]`
  const lines = listen.ports.flatMap((port) => threads.map(() => `ListenStream=${shown}:${port}`))
  return render(template, { listen: lines.join('\n'), free: isAlwaysThere(address) ? 'no' : 'yes' })
}

const isAlwaysThere = (address: string): boolean => ['0.0.0.0', '::', '127.0.0.1', '::1'].includes(address)

const threadsVariable = serverSettings['server.worker_threads'] ?? ''

function threadsOf({ threads }: Listening, { cores, tuned }: SocketHost): number {
  const set = Number(parseEnvironmentFile(tuned)[threadsVariable])
  if (Number.isInteger(set) && set > 0) return set
  return threads === 'auto' ? threadsFor(cores) : threads
}

/** What goes into the service's unit where sockets are held for it. */
export const socketLines = (isHeld: boolean): string =>
  isHeld ? '\nRequires=network_service.socket\nAfter=network_service.socket' : ''

/** The ports that a socket unit listens on. */
export const portsIn = (unit: string): readonly number[] => [
  ...new Set([...unit.matchAll(/^ListenStream=.*:(\d+)$/gm)].map(([, port]) => Number(port))),
]
