// An address in front of servers that come and go: where it leads can be changed, and it can swallow everything.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface TcpRelay {
  readonly port: number
  /** Leads to another port from now on; what is connected stays connected, or is broken off. */
  lead(port: number, others: 'stay' | 'break'): void
  /** Nothing gets through any more in either direction, and nobody is told. */
  swallow(on: boolean): void
  stop(): void
}

export async function tcpRelay(target: number): Promise<TcpRelay> {
  let to = target
  let swallows = false
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  }
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: to })
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      keep(from)
      from.on('data', (chunk) => {
        if (!swallows) into.write(chunk)
      })
      from.on('error', () => into.destroy())
      from.on('close', () => into.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    lead(port, others) {
      to = port
      if (others === 'break') breakAll()
    },
    swallow(on) {
      swallows = on
      // What it swallowed is missing in the middle of a conversation.
      if (!on) breakAll()
    },
    stop() {
      server.close()
      breakAll()
    },
  }
}
