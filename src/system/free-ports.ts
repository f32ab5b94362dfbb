// Ports on which nothing listens, for a server that is started for a moment.
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** So many different TCP ports of 127.0.0.1; somebody may take one before it is used. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
  return ports
}
