// The control socket: root and the service's own user may have the service do what is not for its clients.
import { constants, promises as fs } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import {
  controlRequest,
  longestRequest,
  socketName,
  type ControlAnswer,
  type ControlRequest,
  type ControlResult,
} from './protocol.ts'

export interface ControlOptions {
  /** A folder for the socket alone; made for this process's user, whom nobody but root comes past. */
  readonly folder: string
  /** Does what was asked for, or throws a NetopsError. */
  readonly perform: (request: ControlRequest) => Promise<ControlResult>
  /** Receives what is no failure of a request. */
  readonly onError: (error: unknown) => void
}

export interface ControlSocket {
  close(): Promise<void>
}

// Who may connect could also end the service: this keeps mistakes within bounds, not attackers.
const mostConnections = 16
// A request is written at once.
const requestTimeoutMs = 5000

/**
 * Listens in the folder. A socket that another process left there is replaced: the caller alone works with the data below,
 * and whoever did before it has ended.
 */
export async function openControl({ folder, perform, onError }: ControlOptions): Promise<ControlSocket> {
  await fs.mkdir(folder, { mode: 0o700, recursive: true })
  // It may have been made by somebody else, and with any umask. A link in its place is refused.
  const handle = await fs.open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  const open = new Set<Socket>()
  try {
    await handle.chmod(0o700)
    await fs.rm(join(folder, socketName), { force: true })
    const server = createServer((socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      // Whoever asked went away.
      socket.on('error', () => undefined)
      converse(socket, perform).catch((error: unknown) => {
        socket.destroy()
        onError(error)
      })
    })
    server.maxConnections = mostConnections
    server.on('error', onError)
    // unix(7): an address has 107 characters. This way to the folder is short however long its path is.
    await listen(server, `/proc/self/fd/${handle.fd}/${socketName}`)
    // Who could connect before this was root or the same user too: nobody else comes into the folder.
    await fs.chmod(join(folder, socketName), 0o600)
    server.unref()
    return {
      async close() {
        for (const socket of open) socket.destroy()
        await new Promise((resolve) => server.close(resolve))
        await fs.rm(join(folder, socketName), { force: true })
        await handle.close()
      },
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })

/** One request, one answer, and the end. */
async function converse(socket: Socket, perform: ControlOptions['perform']): Promise<void> {
  const line = await requestLine(socket)
  if (line === undefined) return
  const answer = await answerTo(line, perform)
  if (!socket.destroyed) socket.end(`${JSON.stringify(answer)}\n`)
}

/** The line that was sent; undefined where there came none, and the connection is gone. */
function requestLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(() => socket.destroy(), requestTimeoutMs)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(undefined)
    })
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      const end = chunk.indexOf('\n')
      if (bytes > longestRequest) socket.destroy()
      else if (end < 0) chunks.push(chunk)
      else {
        clearTimeout(timer)
        chunks.push(chunk.subarray(0, end))
        resolve(Buffer.concat(chunks).toString('utf8'))
      }
    })
  })
}

async function answerTo(line: string, perform: ControlOptions['perform']): Promise<ControlAnswer> {
  const request = controlRequest.safeParse(parseJson(line))
  if (!request.success) {
    const message = 'the service does not know what it was asked for'
    return { ok: false, error: { code: 'usage', message } }
  }
  try {
    return { ok: true, result: await perform(request.data) }
  } catch (error) {
    const known = error instanceof NetopsError ? error : undefined
    const hint = known?.hint === undefined ? {} : { hint: known.hint }
    return { ok: false, error: { code: known?.code ?? 'failed', message: messageOf(error), ...hint } }
  }
}
