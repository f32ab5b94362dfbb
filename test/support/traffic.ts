// A small client that keeps asking a service while it is restarted: so many requests a second over kept connections, some of
// which arrive slowly. It says of each that was not answered as it should be, why.
import { Agent, request } from 'node:http'
import { connect } from 'node:net'

export interface TrafficOptions {
  readonly port: number
  readonly host?: string
  readonly path: string
  /** What a good answer has. */
  readonly status: number
  readonly perSecond: number
  /** How long a slow one takes to arrive, in ms; one begins each second. */
  readonly slowMs: number
}

export interface TrafficReport {
  /** Answered as they should be. */
  readonly good: number
  readonly slow: number
  readonly failures: readonly string[]
  /** The longest that one was waited for, in ms: those that come while the service restarts. */
  readonly longestMs: number
}

export interface Traffic {
  /** Begins none any more, and waits for those that are under way. */
  stop(): Promise<TrafficReport>
}

const tickMs = 20
// Fewer than come in a second, so that each connection is used again and again.
const connections = 20
// Longer than any restart: who waits so long was forgotten.
const patienceMs = 40_000

export function startTraffic(options: TrafficOptions): Traffic {
  const { port, host = '127.0.0.1', path, status, perSecond, slowMs } = options
  // In turn: each is used several times a second.
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' })
  const pending = new Set<Promise<void>>()
  const failures: string[] = []
  let good = 0
  let slow = 0
  let longestMs = 0
  const follow = (asked: Promise<number>, onGood: () => void): void => {
    const begun = performance.now()
    const ended = asked
      .then((seen) => {
        if (seen === status) onGood()
        else failures.push(`answered ${seen}`)
      })
      .catch((error: unknown) => void failures.push(String(error)))
      .finally(() => {
        longestMs = Math.max(longestMs, performance.now() - begun)
        pending.delete(ended)
      })
    pending.add(ended)
  }
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request({ agent, host, port, path, timeout: patienceMs }, (answer) => {
        answer.on('error', reject).on('end', () => resolve(answer.statusCode ?? 0))
        answer.resume()
      })
      asked
        .on('error', reject)
        .on('timeout', () => asked.destroy(new Error('no answer')))
        .end()
    })
  const started = performance.now()
  let begun = 0
  let slowBegun = 0
  const timer = setInterval(() => {
    const seconds = (performance.now() - started) / 1000
    for (; begun < seconds * perSecond; begun += 1) follow(ask(), () => (good += 1))
    for (; slowBegun < seconds; slowBegun += 1) follow(askSlowly({ host, port, path, slowMs }), () => (slow += 1))
  }, tickMs)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      agent.destroy()
      return { good, slow, failures, longestMs }
    },
  }
}

type Slow = Pick<TrafficOptions, 'port' | 'path' | 'slowMs'> & { readonly host: string }

/** A request whose head comes piece by piece. */
function askSlowly({ host, port, path, slowMs }: Slow): Promise<number> {
  const pieces = [`GET ${path} HT`, 'TP/1.1\r\nHo', `st: ${host}\r\n`, '\r\n']
  return new Promise((resolve, reject) => {
    const socket = connect(port, host)
    let text = ''
    let next = 0
    const send = (): void => {
      socket.write(pieces[next] ?? '')
      next += 1
      if (next < pieces.length) timer = setTimeout(send, slowMs / (pieces.length - 1))
    }
    let timer = setTimeout(() => undefined)
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer to a slow request')))
    socket.once('connect', send)
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      const found = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]
      if (found === undefined || !text.includes('\r\n\r\n')) return
      resolve(Number(found))
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => {
      clearTimeout(timer)
      reject(new Error(`the connection of a slow request was closed after ${text.length} bytes of an answer`))
    })
  })
}
