// A small client that reads and writes records while their service is restarted: so many requests a second over kept
// connections, and some that arrive slowly. It says of each that was not answered as it should be, why.
import { Agent, request } from 'node:http'
import { connect } from 'node:net'

interface TrafficOptions {
  readonly port: number
  readonly host?: string
  /** One in ten of them writes. */
  readonly perSecond: number
  /** How long the body of a slow write takes to arrive, in ms; one begins each second. */
  readonly slowMs: number
}

interface TrafficReport {
  /** Answered as they should be. */
  readonly good: number
  readonly slow: number
  readonly failures: readonly string[]
}

interface Traffic {
  /** Begins none any more, and waits for those that are under way. */
  stop(): Promise<TrafficReport>
}

const tickMs = 20
// Fewer than come in a second, so that each connection is used again and again.
const connections = 20
// Longer than any restart: who waits so long was forgotten.
const patienceMs = 40_000

const good: readonly number[] = [200, 201, 204]
const recordAt = (key: string): string => `/v1/records/traffic/${key}`

/** Asks a service that needs no token. */
export function startTraffic(options: TrafficOptions): Traffic {
  const { port, host = '127.0.0.1', perSecond, slowMs } = options
  // In turn: each is used several times a second.
  const agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' })
  const pending = new Set<Promise<void>>()
  const failures: string[] = []
  const counts = { good: 0, slow: 0 }
  const follow = (asked: Promise<number>, kind: keyof typeof counts): void => {
    const ended = asked
      .then((seen) => {
        if (good.includes(seen)) counts[kind] += 1
        else failures.push(`a ${kind} one was answered ${seen}`)
      })
      .catch((error: unknown) => void failures.push(`a ${kind} one: ${String(error)}`))
      .finally(() => pending.delete(ended))
    pending.add(ended)
  }
  const ask = (number: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const writes = number % 10 === 0
      const [method, path] = writes ? ['PUT', recordAt('often')] : ['GET', '/v1/records/traffic']
      const headers = writes ? { 'content-type': 'application/json' } : {}
      const asked = request({ agent, host, port, path, method, headers, timeout: patienceMs }, (answer) => {
        answer.on('error', reject).on('end', () => resolve(answer.statusCode ?? 0))
        answer.resume()
      })
      asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer')))
      asked.end(writes ? `{"number":${number}}` : undefined)
    })
  const started = performance.now()
  let begun = 0
  let slowBegun = 0
  const timer = setInterval(() => {
    const seconds = (performance.now() - started) / 1000
    for (; begun < seconds * perSecond; begun += 1) follow(ask(begun), 'good')
    for (; slowBegun < seconds; slowBegun += 1) follow(writeSlowly({ host, port, slowMs }), 'slow')
  }, tickMs)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      agent.destroy()
      return { ...counts, failures }
    },
  }
}

type Slow = Pick<TrafficOptions, 'port' | 'slowMs'> & { readonly host: string }

/** A write whose body comes piece by piece. */
function writeSlowly({ host, port, slowMs }: Slow): Promise<number> {
  const body = ['{"sl', 'ow":', 'true', '}']
  const length = body.join('').length
  const head = [`PUT ${recordAt('slowly')} HTTP/1.1`, `Host: ${host}`, 'Content-Type: application/json']
  const pieces = [`${head.join('\r\n')}\r\nContent-Length: ${length}\r\n\r\n`, ...body]
  return new Promise((resolve, reject) => {
    const socket = connect(port, host)
    let text = ''
    let next = 0
    let timer: NodeJS.Timeout | undefined
    const send = (): void => {
      socket.write(pieces[next] ?? '')
      next += 1
      if (next < pieces.length) timer = setTimeout(send, slowMs / (pieces.length - 1))
    }
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no answer')))
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
      reject(new Error(`the connection was closed after ${text.length} bytes of an answer`))
    })
  })
}
