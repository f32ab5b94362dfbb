// Errors in HTTP answers are application/problem+json (RFC 9457), whoever writes them.
import { STATUS_CODES, type ServerResponse } from 'node:http'
import { closeIfBodyIsMissing } from './bodies.ts'
import { newRequestId, requestIdHeader, requestIdOf } from './request-id.ts'

export const problemType = 'application/problem+json'

export interface ProblemBody {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  /** As in the header X-Request-Id: for whoever keeps only the body. */
  readonly request_id: string
}

export const problemBody = (status: number, detail: string, requestId: string): ProblemBody => ({
  type: 'about:blank',
  title: STATUS_CODES[status] ?? 'Error',
  status,
  detail,
  request_id: requestId,
})

/** Answers with a problem where no framework stands between. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const id = requestIdOf(response.req)
  const body = JSON.stringify(problemBody(status, detail, id))
  closeIfBodyIsMissing(response)
  response.writeHead(status, {
    ...headers,
    [requestIdHeader]: id,
    'content-type': problemType,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

/** The same for a connection whose request could not even be read; the connection ends with it. */
export function rawProblem(status: number, detail: string): string {
  const id = newRequestId()
  const body = JSON.stringify(problemBody(status, detail, id))
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${id}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
