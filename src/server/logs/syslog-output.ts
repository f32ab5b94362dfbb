// Sends lines to a syslog server. While it is away they wait, within a bound, and it is called again after ever longer pauses.
import { createSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import { lookup } from 'node:dns'
import { hostname } from 'node:os'
import { messageOf, systemCode } from '../../model/errors.ts'
import type { LogLevel } from '../../model/logging-config.ts'
import { mostWaitingBytes, withinCloseLimit, type Output, type OutputStats, type Report } from './output.ts'
import { counted, facilities, syslogMessage, type Sender } from './syslog-message.ts'

export type SyslogAddress =
  | { readonly over: 'udp' | 'tcp'; readonly host: string; readonly port: number }
  | { readonly over: 'unix'; readonly path: string }

/** A way to the server that is there, until `lost` is called. */
interface Way {
  /** Calls back once the kernel has the messages; one call at a time. */
  send(messages: readonly Buffer[], sent: () => void): void
  end(done: () => void): void
  destroy(): void
}

interface WayEvents {
  readonly open: () => void
  readonly lost: (reason: string) => void
}

const firstPauseMs = 250
const longestPauseMs = 30_000
// A server that accepts nothing for so long is taken for gone.
const stalledMs = 30_000
const mostAtOnce = 65_536

/** `udp://127.0.0.1:514`, `unix:/run/log.sock`: as it is named in messages. */
const showAddress = (at: SyslogAddress): string =>
  at.over === 'unix' ? `unix:${at.path}` : `${at.over}://${isIPv6(at.host) ? `[${at.host}]` : at.host}:${at.port}`

export const openSyslog = (address: SyslogAddress, facility: string, report: Report): Output =>
  new SyslogOutput(address, { facility: facilities[facility] ?? 1, hostname: hostname(), pid: process.pid }, report)

class SyslogOutput implements Output {
  readonly name: string
  readonly #address: SyslogAddress
  readonly #sender: Sender
  readonly #report: Report
  #queue: Buffer[] = []
  #waiting = 0
  #way: Way | undefined
  #ready = false
  #busy = false
  #closed = false
  #timer: NodeJS.Timeout | undefined
  #pauseMs = firstPauseMs
  #failing = false
  #lost = 0
  #untold = 0
  #whenIdle: (() => void)[] = []

  constructor(address: SyslogAddress, sender: Sender, report: Report) {
    this.name = showAddress(address)
    this.#address = address
    this.#sender = sender
    this.#report = report
    this.#open()
  }

  append(text: string | Buffer, lines: number, level: LogLevel): void {
    if (this.#closed) return
    const message = syslogMessage(level, text.toString().trimEnd(), this.#sender)
    if (this.#waiting + message.length > mostWaitingBytes) {
      this.#lost += lines
      this.#untold += lines
      return
    }
    this.#queue.push(message)
    this.#waiting += message.length
    this.#pump()
  }

  // A server has no file of ours, and nothing can be sent before this thread goes on.
  reopen(): void {}
  tidy(): void {}
  flushNow(): void {}

  async close(): Promise<void> {
    await withinCloseLimit((done) => {
      if (this.#failing || (!this.#busy && this.#queue.length === 0)) done()
      else this.#whenIdle.push(done)
    })
    this.#closed = true
    clearTimeout(this.#timer)
    this.#lost += this.#queue.length
    const way = this.#way
    if (way === undefined) return
    if (this.#ready) await withinCloseLimit((done) => way.end(done))
    way.destroy()
  }

  stats(): OutputStats {
    return { name: this.name, lost: this.#lost, waitingBytes: this.#waiting, failing: this.#failing }
  }

  #open(): void {
    let over = false
    const events: WayEvents = {
      open: () => {
        this.#ready = true
        this.#pump()
      },
      lost: (reason) => {
        if (over) return
        over = true
        way.destroy()
        this.#lose(reason)
      },
    }
    const way = this.#address.over === 'udp' ? datagrams(this.#address, events) : stream(this.#address, events)
    this.#way = way
  }

  #lose(reason: string): void {
    if (this.#closed) return
    this.#way = undefined
    this.#ready = false
    this.#busy = false
    if (!this.#failing) {
      this.#failing = true
      this.#report.failed(this.name, reason)
    }
    for (const done of this.#whenIdle.splice(0)) done()
    this.#timer = setTimeout(() => this.#open(), this.#pauseMs).unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }

  #pump(): void {
    if (this.#busy || !this.#ready || this.#way === undefined) return
    const messages = this.#some()
    if (messages.length === 0) {
      for (const done of this.#whenIdle.splice(0)) done()
      return
    }
    const way = this.#way
    this.#busy = true
    way.send(messages, () => {
      // Told by a way that was given up meanwhile: these messages go out again, rather twice than never.
      if (this.#way !== way) return
      this.#busy = false
      this.#queue.splice(0, messages.length)
      for (const { length } of messages) this.#waiting -= length
      this.#pauseMs = firstPauseMs
      this.#failing = false
      if (this.#untold > 0) {
        this.#report.lost(this.name, this.#untold)
        this.#untold = 0
      }
      this.#pump()
    })
  }

  #some(): readonly Buffer[] {
    let size = 0
    const end = this.#address.over === 'udp' ? 1 : this.#queue.findIndex(({ length }) => (size += length) > mostAtOnce)
    return this.#queue.slice(0, end === -1 ? undefined : Math.max(end, 1))
  }
}

function stream(at: SyslogAddress, { open, lost }: WayEvents): Way {
  const socket: Socket = at.over === 'unix' ? connect({ path: at.path }) : connect({ host: at.host, port: at.port })
  socket.unref()
  socket.setTimeout(stalledMs)
  let ending = false
  socket.once('connect', open)
  socket.on('timeout', () => {
    if (socket.connecting || socket.writableLength > 0) lost('it takes nothing')
  })
  socket.on('error', (error) => lost(messageOf(error)))
  socket.once('close', () => {
    if (!ending) lost('it closed the connection')
  })
  // It has nothing to say; unread, its end would not be seen.
  socket.resume()
  return {
    send(messages, sent) {
      socket.write(Buffer.concat(messages.map(counted)), (error) => {
        if (error === undefined || error === null) sent()
      })
    },
    end(done) {
      ending = true
      // Then the kernel has it all.
      socket.end(done)
    },
    destroy: () => void socket.destroy(),
  }
}

function datagrams(at: { readonly host: string; readonly port: number }, { open, lost }: WayEvents): Way {
  let socket: ReturnType<typeof createSocket> | undefined
  let over = false
  lookup(at.host, (error, address, family) => {
    if (over) return
    if (error !== null) {
      lost(messageOf(error))
      return
    }
    socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    socket.unref()
    socket.on('error', (problem) => lost(messageOf(problem)))
    // Connected, so that the kernel tells when nobody listens there.
    socket.connect(at.port, address, open)
  })
  return {
    send([message = Buffer.alloc(0)], sent) {
      socket?.send(message, (error) => {
        // Too long for this network: it would be so again.
        if (error === null || systemCode(error) === 'EMSGSIZE') sent()
        else lost(messageOf(error))
      })
    },
    end: (done) => done(),
    destroy() {
      if (!over) socket?.close()
      over = true
    },
  }
}
