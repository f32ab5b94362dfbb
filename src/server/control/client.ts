// Asks a running service over its control socket.
import { constants, promises as fs } from 'node:fs'
import { connect } from 'node:net'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { controlAnswer, longestAnswer, socketName, type ControlRequest, type ControlResult } from './protocol.ts'

export interface AskOptions {
  /** Where its socket lies. */
  readonly folder: string
  /** How long the answer may take, in ms. */
  readonly timeoutMs: number
}

/**
 * @throws NetopsError `failed` where no service listens, or does not answer in time; `refused` where this user may not ask;
 * else what the service says
 */
export async function askService(request: ControlRequest, { folder, timeoutMs }: AskOptions): Promise<ControlResult> {
  const handle = await openFolder(folder)
  let line: string
  try {
    // As short as an address must be (unix(7)), however long the folder's path is.
    line = await exchange(`/proc/self/fd/${handle.fd}/${socketName}`, `${JSON.stringify(request)}\n`, timeoutMs)
  } catch (error) {
    throw error instanceof NetopsError ? error : explained(folder, error)
  } finally {
    await handle.close()
  }
  const answer = controlAnswer.safeParse(parseJson(line))
  if (!answer.success) throw new NetopsError('failed', { message: `the service's answer cannot be read: ${line}` })
  if (!answer.data.ok) throw new NetopsError(answer.data.error.code, answer.data.error)
  return answer.data.result
}

async function openFolder(folder: string): Promise<fs.FileHandle> {
  try {
    return await fs.open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    throw explained(folder, error)
  }
}

function explained(folder: string, cause: unknown): NetopsError {
  const code = systemCode(cause) ?? ''
  if (['ECONNREFUSED', 'ENOENT', 'ENOTDIR'].includes(code)) {
    const hint = 'start it: systemctl start network_service, or netops service start --root DIR'
    return new NetopsError('failed', { message: `no service is running with ${folder}`, hint, cause })
  }
  if (['EACCES', 'EPERM'].includes(code)) {
    const hint = 'ask as root, or as the user that the service runs as'
    return new NetopsError('refused', { message: `the service with ${folder} is not this user's to ask`, hint, cause })
  }
  return new NetopsError('failed', { message: `the service with ${folder}: ${messageOf(cause)}`, cause })
}

function exchange(path: string, request: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    const chunks: Buffer[] = []
    let bytes = 0
    const fail = (error: unknown): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error instanceof Error ? error : new Error(messageOf(error)))
    }
    const timer = setTimeout(
      () => fail(new NetopsError('failed', { message: `the service did not answer within ${timeoutMs / 1000} s` })),
      timeoutMs,
    )
    socket.once('connect', () => socket.write(request))
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > longestAnswer) fail(new NetopsError('failed', { message: 'the service says more than was asked' }))
      else chunks.push(chunk)
    })
    socket.once('error', fail)
    socket.once('close', () => {
      clearTimeout(timer)
      const said = Buffer.concat(chunks).toString('utf8')
      if (said.endsWith('\n')) resolve(said.trimEnd())
      else reject(new NetopsError('failed', { message: 'the service ended before it answered' }))
    })
  })
}
