// How a stop ends when clients do not: with short limits, on a bare HTTP server.
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { trackConnections, type Connections } from '../../../src/server/connections.ts'

let server: Server
let connections: Connections
const ended: number[] = []

beforeEach(async () => {
  ended.length = 0
  server = createServer((request, response) => {
    request.on('end', () => response.end('ok'))
    request.resume()
  })
  connections = trackConnections(server, { onRequestEnd: (seconds) => ended.push(seconds) })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => server.closeAllConnections())

const dial = async (text: string): Promise<Socket> => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => undefined) // a cut connection is what some of these tests are about
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.write(text)
  return socket
}
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))
const unfinished = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc'

describe('draining', () => {
  it('is over at once without connections', async () => {
    expect(await connections.drain({ lingerMs: 60_000, drainMs: 60_000 })).toBe(0)
  })

  it('cuts requests off that outlast their time, and counts them', async () => {
    const socket = await dial(unfinished)
    await vi.waitFor(() => expect(connections.requestsInFlight()).toBe(1))
    const end = closed(socket)
    expect(await connections.drain({ lingerMs: 10, drainMs: 200 })).toBe(1)
    await end
    await vi.waitFor(() => expect(connections.active()).toBe(0))
    expect(ended).toHaveLength(1)
  })

  it('closes connections that never sent anything after the linger, not at the end of the time', async () => {
    const socket = await dial('')
    await vi.waitFor(() => expect(connections.active()).toBe(1))
    const end = closed(socket)
    expect(await connections.drain({ lingerMs: 20, drainMs: 60_000 })).toBe(0)
    await end
  })

  it('does not take a connection for idle on which a request has begun to arrive', async () => {
    const socket = await dial('GET / HTTP/1.1\r\nHo')
    await vi.waitFor(() => expect(connections.active()).toBe(1))
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    // Beyond the linger: what had arrived by then kept the connection.
    const end = closed(socket)
    const late = setTimeout(() => socket.write('st: x\r\n\r\n'), 300)
    expect(await connections.drain({ lingerMs: 100, drainMs: 60_000 })).toBe(0)
    await end
    clearTimeout(late)
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).toContain('Connection: close\r\n')
  })
})
