// One small GET with a time limit, for probes on the machine itself.
import { get, type IncomingMessage, type RequestOptions } from 'node:http'
import { TooMuch } from './bounded.ts'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const bodyLimit = 256 * 1024

export interface HttpOptions {
  /** For an address of https: `any` certificate will do, for it is not trust that is asked for; else a valid one is needed. */
  readonly certificate?: 'any'
}

/** A URL whose address has a zone (RFC 6874) without it, and whom to connect to: Node's URL knows no zones (WHATWG URL, 3.5). */
function withoutZone(url: string): readonly [url: string, more: Pick<RequestOptions, 'hostname' | 'headers'>] {
  const [, before, address, zone, rest] = /^(https?:\/\/)\[([0-9A-Fa-f:.]+)%25([^\]]+)\](.*)$/.exec(url) ?? []
  if (before === undefined || address === undefined || zone === undefined) return [url, {}]
  const place = `${before}[${address}]${rest ?? ''}`
  return [place, { hostname: `${address}%${decodeURIComponent(zone)}`, headers: { host: new URL(place).host } }]
}

/**
 * Gets an address over HTTP.
 * @throws Error when nothing answers within the time, or the answer is larger than 256 KiB
 */
export async function httpGet(url: string, timeoutMs: number, options: HttpOptions = {}): Promise<HttpAnswer> {
  // TLS takes longer to load than most commands take to start.
  const getAt = url.startsWith('https:') ? (await import('node:https')).get : get
  const settings = { agent: false, timeout: timeoutMs, rejectUnauthorized: options.certificate !== 'any' } as const
  return new Promise((resolve, reject) => {
    const [place, zone] = withoutZone(url)
    const request = getAt(place, { ...settings, ...zone }, (response: IncomingMessage) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
        if (body.length > bodyLimit) request.destroy(new TooMuch('the answer', bodyLimit, body.length))
      })
      response.on('error', reject)
      response.on('end', () => {
        const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(headers) as Record<string, string>,
          body,
        })
      })
    })
    const limit = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    request.on('close', () => clearTimeout(limit))
    request.on('error', reject)
  })
}
