// A link to a server on this machine that counts what passes towards it, and cuts, slows, swallows or changes it.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface FaultyLink {
  readonly port: number
  /** Bytes that have passed towards the server, on all connections. */
  passed(): number
  /** Breaks every connection off when so many bytes more have passed, so many times. */
  cutAfter(bytes: number, times?: number): void
  /** The same from the server's side: answers are broken off. */
  cutAnswersAfter(bytes: number, times?: number): void
  /** Lets so many bytes pass a second, each way. */
  limitTo(bytesPerSecond: number): void
  /** Nothing passes any more, and nobody is told, until it is taken back. */
  swallow(on: boolean): void
  /** Changes one byte when so many bytes more have passed towards the server. */
  flipAfter(bytes: number, times?: number): void
  close(): Promise<void>
}

interface Fault {
  left: number
  readonly every: number
  times: number
}

export async function faultyLink(target: number): Promise<FaultyLink> {
  let [passed, rate, swallows] = [0, Infinity, false]
  const none = (): Fault => ({ left: Infinity, every: Infinity, times: 0 })
  let [cut, cutAnswers, flip] = [none(), none(), none()]
  const sockets = new Set<Socket>()
  const breakAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  /** Whether the fault comes now, and where in the chunk. */
  const due = (fault: Fault, bytes: number): number | undefined => {
    if (fault.times === 0) return undefined
    const at = fault.left
    fault.left -= bytes
    if (fault.left > 0) return undefined
    fault.times -= 1
    fault.left = fault.every
    return Math.max(0, Math.min(at, bytes - 1))
  }
  const relay = async (from: Socket, to: Socket, towards: boolean): Promise<void> => {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      if (swallows) continue
      if (rate !== Infinity) await sleep((chunk.length / rate) * 1000)
      if (towards) {
        passed += chunk.length
        const at = due(flip, chunk.length)
        if (at !== undefined) chunk[at] = (chunk[at] ?? 0) ^ 1
      }
      if (due(towards ? cut : cutAnswers, chunk.length) !== undefined) return breakAll()
      if (to.destroyed) return
      if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')])
    }
    to.end()
  }
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target })
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', (withError) => {
        sockets.delete(socket)
        // Else the other end is told by the relay, after the last that came from here.
        if (withError) for (const other of [near, far]) other.destroy()
      })
    }
    for (const [from, to, towards] of [
      [near, far, true],
      [far, near, false],
    ] as const) {
      void relay(from, to, towards).catch(() => to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    passed: () => passed,
    cutAfter(bytes, times = 1) {
      cut = { left: bytes, every: bytes, times }
    },
    cutAnswersAfter(bytes, times = 1) {
      cutAnswers = { left: bytes, every: bytes, times }
    },
    limitTo(bytesPerSecond) {
      rate = bytesPerSecond
    },
    swallow(on) {
      swallows = on
    },
    flipAfter(bytes, times = 1) {
      flip = { left: bytes, every: bytes, times }
    },
    async close() {
      breakAll()
      server.close()
      await once(server, 'close')
    },
  }
}
