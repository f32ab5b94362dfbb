// The request of a host run on disk: written down before anything is done, and read back by whoever carries the run out.
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { parseRequest } from '../procedures/list.ts'
import { readTextIfAny, writeFileAtomic } from '../system/files.ts'

const requestPath = (root: string, run: string): string => join(hostPaths(root).runs, run, 'order.json')

/**
 * Puts the request on disk.
 * @throws NetopsError `refused` where the same run was started with another one
 */
export async function keepRequest(request: HostRequest): Promise<void> {
  const { root, run } = request
  await mkdir(join(hostPaths(root).runs, run), { recursive: true, mode: 0o700 })
  const file = requestPath(root, run)
  const text = `${JSON.stringify(request)}\n`
  const present = await readTextIfAny(file)
  if (present === undefined) return writeFileAtomic(file, text, 0o600)
  if (present !== text) throw new NetopsError('refused', { message: `run ${run} was started with another request` })
}

export const readRequest = async (root: string, run: string): Promise<HostRequest> =>
  parseRequest(JSON.parse(await readFile(requestPath(root, run), 'utf8')))
