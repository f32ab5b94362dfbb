// Clients that write records until their service is gone, each its own, and know which writes were answered.
import { Agent, request } from 'node:http'
import { valueAfter, writers } from './store-program.ts'

interface Acknowledged {
  /** How often it was written, with success. */
  readonly n: number
  readonly etag: string | undefined
}

export interface RecordWriters {
  /**
   * Writes until no answer comes any more.
   * @param onWrite told after each answered write how many there were in this round
   * @returns how many were answered
   */
  readonly write: (onWrite: (count: number) => void) => Promise<number>
  /**
   * Compares what is there with what was answered; what was under way at the end may be there or not.
   * @returns what is lost or wrong, a line each
   */
  readonly check: () => Promise<readonly string[]>
}

const path = (writer: number) => `/v1/records/c/${writer}`

/** Clients of a service that needs no token. @param patienceMs who waits longer for an answer gets none any more */
export function recordWriters(
  at: { readonly host: string; readonly port: number },
  patienceMs = 60_000,
): RecordWriters {
  const last = Array.from({ length: writers }, (): Acknowledged => ({ n: 0, etag: undefined }))
  const ask = (agent: Agent, method: string, to: string, value?: string) =>
    new Promise<{ readonly status: number; readonly etag: string | undefined; readonly body: string }>(
      (resolve, reject) => {
        const headers = value === undefined ? {} : { 'content-type': 'application/json' }
        const asked = request({ agent, method, headers, ...at, path: to, timeout: patienceMs }, (answer) => {
          let body = ''
          answer.setEncoding('utf8')
          answer.on('data', (text: string) => (body += text)).on('error', reject)
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, etag: answer.headers.etag, body }))
        })
        asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer')))
        asked.end(value)
      },
    )
  return {
    async write(onWrite) {
      const agent = new Agent({ keepAlive: true })
      let count = 0
      const go = async (writer: number): Promise<void> => {
        for (let n = (last[writer]?.n ?? 0) + 1; ; n += 1) {
          const value = valueAfter(n)
          const answer = await ask(agent, value === undefined ? 'DELETE' : 'PUT', path(writer), value).catch(
            () => undefined,
          )
          if (answer === undefined || ![200, 201, 204].includes(answer.status)) return
          last[writer] = { n, etag: answer.etag }
          count += 1
          onWrite(count)
        }
      }
      await Promise.all(last.map((_, writer) => go(writer)))
      agent.destroy()
      return count
    },
    async check() {
      const agent = new Agent({ keepAlive: true })
      const wrong: string[] = []
      for (const [writer, { n, etag }] of last.entries()) {
        const { status, etag: foundTag, body } = await ask(agent, 'GET', path(writer))
        const found = status === 404 ? undefined : body
        const isLast = found === valueAfter(n)
        if (!isLast && found !== valueAfter(n + 1)) {
          wrong.push(`writer ${writer} after ${n}: ${status} ${String(found).slice(-20)}`)
        }
        if (isLast && found !== undefined && foundTag !== etag) wrong.push(`writer ${writer}: ${foundTag ?? 'no ETag'}`)
        last[writer] = { n: isLast ? n : n + 1, etag: foundTag }
      }
      agent.destroy()
      return wrong
    },
  }
}
