// The request of a host run on disk: written down before anything is done, and read back by whoever carries the run out.
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { readJournal, runState } from '../engine/journal.ts'
import { NetopsError } from '../model/errors.ts'
import { canonicalJson, type Json } from '../model/json.ts'
import { hostPaths } from '../model/paths.ts'
import { damagedState, putAside, type StateSource } from '../model/state-text.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { parseRequest } from '../procedures/list.ts'
import { writeFileAtomic } from '../system/files.ts'
import { refuseSharedRoot } from '../system/folder-trust.ts'
import { makeStateFolder, readState } from '../system/state-file.ts'

const requestPath = (root: string, run: string): string => join(hostPaths(root).runs, run, 'order.json')

/** What every request says, whatever its procedure is. */
const anyRequest = z.looseObject({ procedure: z.string() })

const sourceOf = (root: string, run: string): StateSource => {
  const path = requestPath(root, run)
  return { path, hint: `look at the host with netops status; then ${putAside(dirname(path))}` }
}

/**
 * Puts the request on disk. One that is there and damaged is written anew, unless the run has begun with another one.
 * @throws NetopsError `refused` where the same run was started with another one
 */
export async function keepRequest(request: HostRequest): Promise<void> {
  const { root, run } = request
  await refuseSharedRoot(root)
  await makeStateFolder(join(hostPaths(root).runs, run))
  const text = `${JSON.stringify(request)}\n`
  const present = await readPresent(root, run)
  if (present === undefined) return writeFileAtomic(requestPath(root, run), text, 0o600)
  if (present !== canonicalJson(request)) {
    throw new NetopsError('refused', { message: `run ${run} was started with another request` })
  }
}

/** What a run was started with, by its file or by its journal; undefined where neither says. */
async function readPresent(root: string, run: string): Promise<string | undefined> {
  try {
    const request = await readState(anyRequest, sourceOf(root, run))
    return request === undefined ? undefined : canonicalJson(request)
  } catch (error) {
    if (!(error instanceof NetopsError) || error.code !== 'damaged') throw error
    const input = await inputOf(root, run)
    return input === undefined ? undefined : canonicalJson(input)
  }
}

/**
 * The request of a run that was started here; where its file is damaged, the one that its journal began with.
 * @throws NetopsError `usage` where no such run was started, `damaged` where neither says what it was
 */
export async function readRequest(root: string, run: string): Promise<HostRequest> {
  try {
    const request = await readState(anyRequest, sourceOf(root, run))
    if (request !== undefined) return parseKept(request, root, run)
  } catch (error) {
    if (!(error instanceof NetopsError) || error.code !== 'damaged') throw error
    const input = await inputOf(root, run)
    if (input === undefined) throw error
    return parseKept(input, root, run)
  }
  throw new NetopsError('usage', {
    message: `run ${run} was never started here: there is no ${requestPath(root, run)}`,
    hint: 'netops runs list shows those that were',
  })
}

const inputOf = async (root: string, run: string): Promise<Json | undefined> =>
  runState((await readJournal(hostPaths(root).runs, run)) ?? []).start?.input

function parseKept(request: unknown, root: string, run: string): HostRequest {
  try {
    return parseRequest(request)
  } catch (error) {
    if (error instanceof NetopsError) throw error
    throw damagedState(sourceOf(root, run), 'it is no request that this netops understands', error)
  }
}
