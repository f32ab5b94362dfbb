// Errors in HTTP answers are application/problem+json (RFC 9457), whoever writes them.
import { STATUS_CODES, type ServerResponse } from 'node:http'
import { closeIfBodyIsMissing } from './bodies.ts'

export const problemType = 'application/problem+json'

export interface ProblemBody {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
}

export const problemBody = (status: number, detail: string): ProblemBody => ({
  type: 'about:blank',
  title: STATUS_CODES[status] ?? 'Error',
  status,
  detail,
})

/** Answers with a problem where no framework stands between. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify(problemBody(status, detail))
  closeIfBodyIsMissing(response)
  response.writeHead(status, { ...headers, 'content-type': problemType, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** The same for a connection whose request could not even be read; the connection ends with it. */
export function rawProblem(status: number, detail: string): string {
  const body = JSON.stringify(problemBody(status, detail))
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
