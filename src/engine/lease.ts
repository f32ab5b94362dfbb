// One run at a time on a host: a file that names the holder, taken over only from the dead.
import { randomBytes } from 'node:crypto'
import { promises as fs } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { z } from 'zod'
import { NetopsError, systemCode } from '../model/errors.ts'
import { runsCommand } from '../model/paths.ts'
import { readTextIfAny, sha256OfText, syncFolder } from '../system/files.ts'
import { identifySelf, isAlive, processIdentity } from '../system/processes.ts'
import { readJournal, runState } from './journal.ts'

const lease = z.strictObject({
  schema: z.literal('netops/lease/v1'),
  run: z.string(),
  reason: z.string(),
  host: z.string(),
  user: z.string(),
  since: z.string(),
  process: processIdentity,
})
export type Lease = z.infer<typeof lease>

export interface LeasePaths {
  readonly root: string
  /** The netops on this host that people can call. */
  readonly netops: string
  readonly lease: string
  readonly runs: string
}

/** The lease as it stands, or undefined when nobody holds it. */
export async function readLease(path: string): Promise<Lease | undefined> {
  const text = await readTextIfAny(path)
  return text === undefined ? undefined : lease.parse(JSON.parse(text))
}

/**
 * Takes a host's lease for a run; a run takes its own again after a crash.
 * @returns what was taken over from a dead holder, if anything
 * @throws NetopsError `locked` when a living process holds it, or when another run stopped half way and is not finished
 */
export async function acquireLease(paths: LeasePaths, run: string, reason: string): Promise<Lease | undefined> {
  await fs.mkdir(dirname(paths.lease), { recursive: true })
  const mine: Lease = {
    schema: 'netops/lease/v1',
    run,
    reason,
    host: hostname(),
    user: userInfo().username,
    since: new Date().toISOString(),
    process: await identifySelf(),
  }
  const ticket = `${paths.lease}.${randomBytes(6).toString('hex')}`
  await fs.writeFile(ticket, `${JSON.stringify(mine)}\n`, { mode: 0o600, flush: true })
  try {
    for (;;) {
      const held = await readLease(paths.lease)
      if (held !== undefined) await mayTakeOver(held, paths, run)
      const taken = held === undefined ? await linked(ticket, paths.lease) : await replaceDead(ticket, paths, held)
      if (!taken) continue
      await syncFolder(dirname(paths.lease))
      return held
    }
  } finally {
    await fs.rm(ticket, { force: true })
  }
}

/** Gives the lease back, if this run in this process still holds it. */
export async function releaseLease(path: string, run: string): Promise<void> {
  const held = await readLease(path)
  if (held?.run === run && held.process.pid === process.pid) await fs.rm(path, { force: true })
}

async function mayTakeOver(held: Lease, paths: LeasePaths, run: string): Promise<void> {
  if (await isAlive(held.process)) throw heldBy(held, paths)
  const state = runState((await readJournal(paths.runs, held.run)) ?? [])
  if (held.run !== run && state.start !== undefined && state.end === undefined) {
    throw new NetopsError('locked', {
      message: `run ${held.run} (${held.reason}) of ${held.since} stopped half way and is not finished`,
      hint: `finish it first, on the host: ${runsCommand('resume', held.run, paths.root, paths.netops)}`,
    })
  }
}

const heldBy = (held: Lease, paths: LeasePaths): NetopsError =>
  new NetopsError('locked', {
    message: `run ${held.run} (${held.reason}) by ${held.user} holds this host since ${held.since}`,
    hint: `wait for it, or watch it on the host: ${runsCommand('follow', held.run, paths.root, paths.netops)}`,
  })

/** Where whoever takes over from a dead holder says so first; one place for each lease that ever was. */
export const claimPath = (path: string, dead: Lease): string =>
  `${path}.after-${sha256OfText(JSON.stringify(dead)).slice(0, 16)}`

/**
 * Puts our lease in the place of a dead holder's. Only the one who claimed that very lease does so, and a claim whose owner
 * died is claimed in turn: nobody's living lease is ever moved, and it is never gone in between.
 * @returns whether it was done; if not, somebody else was faster
 */
async function replaceDead(ticket: string, paths: LeasePaths, dead: Lease): Promise<boolean> {
  const path = paths.lease
  let claim = claimPath(path, dead)
  const claims = [claim]
  while (!(await linked(ticket, claim))) {
    const claimed = await readLease(claim)
    if (claimed === undefined) return false
    if (await isAlive(claimed.process)) throw heldBy(claimed, paths)
    claim = claimPath(path, claimed)
    claims.push(claim)
  }
  const current = await readLease(path)
  const ours = JSON.stringify(current) === JSON.stringify(dead)
  if (ours) await fs.rename(ticket, path)
  for (const done of ours ? claims : [claim]) await fs.rm(done, { force: true })
  return ours
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}
