// A link to a server on this machine that lets through so many bytes a second, and counts them.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SshTarget } from '../../src/drivers/hosts/ssh.ts'
import type { Sshd } from './sshd.ts'

export interface SlowLink {
  /** How to reach the SSH server over it. */
  readonly target: SshTarget
  /** Bytes that have passed towards the server, on all connections. */
  passed(): number
  /** From now on. */
  limitTo(bytesPerSecond: number): void
  close(): Promise<void>
}

// What may pass at once after a pause, as a share of what passes in a second.
const burst = 0.05

/**
 * @param sshd what it leads to
 * @param knownHosts a file of the test's own, for the key under the link's port
 */
export async function startSlowLink(sshd: Sshd, knownHosts: string): Promise<SlowLink> {
  let [passed, rate, tokens, at] = [0, Infinity, 0, performance.now()]
  const sockets = new Set<Socket>()
  const take = async (bytes: number): Promise<void> => {
    passed += bytes
    if (rate === Infinity) return
    const now = performance.now()
    tokens = Math.min(burst * rate, tokens + ((now - at) / 1000) * rate) - bytes
    at = now
    if (tokens < 0) await sleep((-tokens / rate) * 1000)
  }
  const server = createServer((from) => {
    const to = connect(sshd.port, '127.0.0.1')
    for (const socket of [from, to]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      // The other end is told by the end of its own connection.
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        from.destroy()
        to.destroy()
      })
    }
    to.pipe(from)
    void relay(from, to, take)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await writeFile(knownHosts, `[127.0.0.1]:${port} ${sshd.hostKey}\n`)
  return {
    target: { ...sshd.target, port, knownHosts },
    passed: () => passed,
    limitTo(bytesPerSecond) {
      ;[rate, tokens, at] = [bytesPerSecond, 0, performance.now()]
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** One piece at a time: what has not passed stays with its sender. */
async function relay(from: Socket, to: Socket, take: (bytes: number) => Promise<void>): Promise<void> {
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      await take(chunk.length)
      if (!to.write(chunk)) await once(to, 'drain')
    }
    to.end()
  } catch {
    // Either end has gone, which the other is told by 'close'.
    to.destroy()
  }
}
