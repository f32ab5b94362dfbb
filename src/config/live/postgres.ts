// Is it PostgreSQL that answers at an address? Asked for TLS, which every server answers before anybody logs in.
import { connect, type Socket } from 'node:net'
import { systemCode } from '../../model/errors.ts'

/** What was found at an address; `refused` and the like are the system's own words. */
export type Answer =
  | { readonly kind: 'postgres'; readonly tls: boolean }
  | { readonly kind: 'other' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'no connection'; readonly code: string }

// PostgreSQL documentation, Message Formats, SSLRequest: Int32(8), Int32(80877103).
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

// The answer is one byte alone. Others begin with the same letters: SSH says "SSH-2.0-" to whoever connects.
const settleMs = 100

/** Connects, sends SSLRequest, and judges the answer. */
export function askPostgres(
  at: { readonly host: string; readonly port: number },
  limitMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ ...at, signal })
    let received = Buffer.alloc(0)
    let connected = false
    let settling: NodeJS.Timeout | undefined
    const end = (answer: Answer): void => {
      clearTimeout(limit)
      clearTimeout(settling)
      socket.destroy()
      resolve(answer)
    }
    const limit = setTimeout(
      () => end(connected ? { kind: 'silent' } : { kind: 'no connection', code: 'ETIMEDOUT' }),
      limitMs,
    )
    socket.once('connect', () => {
      connected = true
      socket.write(sslRequest)
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (judgeAnswer(received).kind === 'other') end({ kind: 'other' })
      else settling ??= setTimeout(() => end(judgeAnswer(received)), settleMs)
    })
    socket.once('end', () => end(received.length === 0 ? { kind: 'closed' } : judgeAnswer(received)))
    socket.once('error', (error) => {
      const code = systemCode(error) ?? 'unknown reason'
      end(connected ? { kind: 'closed' } : { kind: 'no connection', code })
    })
  })
}

/** What the answer to SSLRequest says: S or N, and nothing more. */
export function judgeAnswer(received: Buffer): Answer {
  const text = received.toString('latin1')
  return text === 'S' || text === 'N' ? { kind: 'postgres', tls: text === 'S' } : { kind: 'other' }
}
