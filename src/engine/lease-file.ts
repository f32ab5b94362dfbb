// A lease as a file: who holds it, whether the holder still lives, and how it passes from the dead to the living.
import { randomBytes } from 'node:crypto'
import { promises as fs, fstatSync, statSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { NetopsError, systemCode } from '../model/errors.ts'
import { runsCommand } from '../model/paths.ts'
import { readTextIfAny, sha256OfText, syncFolder } from '../system/files.ts'
import { identifySelf, isAlive, processIdentity, signalProcess } from '../system/processes.ts'

const lease = z.strictObject({
  schema: z.literal('netops/lease/v1'),
  run: z.string(),
  reason: z.string(),
  host: z.string(),
  user: z.string(),
  since: z.string(),
  /** Who wrote it; the holder itself, unless that is on another machine. */
  process: processIdentity,
  /** The holder is on another machine: only its heartbeat tells whether it lives. */
  remote: z.literal(true).exactOptional(),
})
export type Lease = z.infer<typeof lease>

export interface LeaseTiming {
  readonly heartbeatMs: number
  /** A holder that was silent for longer is not trusted to live. */
  readonly boundMs: number
}

// Six heartbeats may be missed: a busy machine stalls for a second or two, not for half a minute.
export const leaseTiming: LeaseTiming = { heartbeatMs: 5000, boundMs: 30_000 }

/**
 * `held`: the holder lives. `silent`: its process is there but has not moved for longer than the bound (stopped, or a
 * machine that hangs). `dead`: it is gone, or was on another machine and is silent.
 */
export type LeaseState = 'held' | 'silent' | 'dead'

export interface Judged {
  readonly lease: Lease
  readonly standing: LeaseState
  /** How long ago the last heartbeat was, by this machine's clock, in ms. */
  readonly silentMs: number
}

/** The lease in a file as it stands, or undefined when nobody holds it. */
export async function readLease(path: string): Promise<Lease | undefined> {
  const text = await readTextIfAny(path)
  return text === undefined ? undefined : lease.parse(JSON.parse(text))
}

/** A heartbeat for a lease of this run; returns the lease as it stands, whoever's it is. */
export async function renewLease(path: string, run: string): Promise<Lease | undefined> {
  let handle
  try {
    handle = await fs.open(path, 'r+')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    // One descriptor for both: what was read is what gets the heartbeat.
    const held = lease.parse(JSON.parse(await handle.readFile('utf8')))
    const now = new Date()
    if (held.run === run) await handle.utimes(now, now)
    return held
  } finally {
    await handle.close()
  }
}

/** As {@link readLease}, with what is to be thought of its holder. */
export async function judgeLease(path: string, timing = leaseTiming): Promise<Judged | undefined> {
  const held = await readLease(path)
  const modified = await heartbeatOf(path)
  if (held === undefined || modified === undefined) return undefined
  const silentMs = Math.max(0, Date.now() - modified)
  const silent = silentMs > timing.boundMs
  if (held.remote === true) return { lease: held, silentMs, standing: silent ? 'dead' : 'held' }
  const lives = await isAlive(held.process)
  return { lease: held, silentMs, standing: !lives ? 'dead' : silent ? 'silent' : 'held' }
}

async function heartbeatOf(path: string): Promise<number | undefined> {
  try {
    return (await fs.stat(path)).mtimeMs
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

const mostTries = 400

export interface LeaseWish {
  readonly run: string
  readonly reason: string
  readonly timing: LeaseTiming
  /** For a holder on another machine: who that is. */
  readonly remote?: { readonly host: string; readonly user: string }
  /** Throws where the lease may not pass on from this holder. */
  readonly mayTakeOver: (judged: Judged) => Promise<void>
}

/**
 * Takes a lease that is free, or whose holder may be displaced. A silent holder on this machine is ended first, so that it
 * can never go on.
 * @returns whom it was taken over from, if anybody
 * @throws NetopsError what `mayTakeOver` throws; `locked` when a silent holder moves again or cannot be ended
 */
export async function takeLease(path: string, wish: LeaseWish): Promise<Judged | undefined> {
  await fs.mkdir(dirname(path), { recursive: true })
  const { run, reason, remote } = wish
  const mine: Lease = {
    schema: 'netops/lease/v1',
    run,
    reason,
    host: remote?.host ?? hostname(),
    user: remote?.user ?? userInfo().username,
    since: new Date().toISOString(),
    process: await identifySelf(),
    ...(remote === undefined ? {} : { remote: true }),
  }
  const ticket = `${path}.${randomBytes(6).toString('hex')}`
  await fs.writeFile(ticket, `${JSON.stringify(mine)}\n`, { mode: 0o600, flush: true })
  try {
    for (let tries = 1; ; tries += 1) {
      const held = await judgeLease(path, wish.timing)
      // Whoever is just taking over from a dead holder needs moments for it.
      if (held !== undefined && tries > mostTries) throw moves(held.lease)
      if (held !== undefined) await wish.mayTakeOver(held)
      if (held?.standing === 'silent') await fence(path, held, wish.timing)
      const taken = held === undefined ? await linked(ticket, path) : await replaceDead(ticket, path, held.lease)
      if (!taken) {
        await sleep(5)
        continue
      }
      await syncFolder(dirname(path))
      return held
    }
  } finally {
    await fs.rm(ticket, { force: true })
  }
}

/** A lease that this process holds: its heartbeat goes on until it is given back. */
export interface HeldLease {
  /** @throws NetopsError `locked`, resumable, when the lease is another's by now */
  assertHeld(): void
  /** Ends the heartbeat; the lease passes to whoever comes once this process is gone. */
  leave(): Promise<void>
  /** Gives the lease back, if it is still this process's. */
  giveBack(): Promise<void>
}

/** Keeps a lease that this process has just taken. */
export async function keepLease(path: string, run: string, timing = leaseTiming): Promise<HeldLease> {
  // By its descriptor: whatever stands at the path later, only this very lease gets a heartbeat.
  const handle = await fs.open(path, 'r+')
  const beat = (): void => {
    const now = new Date()
    // A disk that takes no writes is no reason to end a run; the run's own writes will say so.
    handle.utimes(now, now).catch(() => undefined)
  }
  const timer = setInterval(beat, timing.heartbeatMs)
  timer.unref()
  const { ino, dev } = fstatSync(handle.fd)
  const isOurs = (): boolean => {
    const there = statSync(path, { throwIfNoEntry: false })
    return there?.ino === ino && there.dev === dev
  }
  let left = false
  const leave = async (): Promise<void> => {
    if (left) return
    left = true
    clearInterval(timer)
    await handle.close()
  }
  return {
    leave,
    assertHeld() {
      if (isOurs()) return
      throw new NetopsError('locked', {
        message: `run ${run} lost its lease ${path}: it stood still, and another run took over`,
        hint: `see what happened meanwhile: netops lock status; then: ${runsCommand('resume', run)}`,
        resumable: true,
      })
    },
    async giveBack() {
      const ours = !left && isOurs()
      await leave()
      if (ours) await fs.rm(path, { force: true })
    },
  }
}

/**
 * Makes sure that a silent holder never moves again. Two heartbeats are waited for first: a clock that jumped makes a
 * living holder look silent.
 */
async function fence(path: string, { lease: held, silentMs }: Judged, timing: LeaseTiming): Promise<void> {
  const before = await heartbeatOf(path)
  await sleep(2 * timing.heartbeatMs)
  if ((await heartbeatOf(path)) !== before) throw moves(held)
  try {
    await signalProcess(held.process, 'SIGKILL')
  } catch (cause) {
    throw new NetopsError('locked', {
      message: `run ${held.run} by ${held.user} has been silent for ${Math.round(silentMs / 1000)} s, and its process ${held.process.pid} cannot be ended from here`,
      hint: `as root: kill -9 ${held.process.pid}`,
      cause,
    })
  }
  while (await isAlive(held.process)) await sleep(20)
}

const moves = (held: Lease): NetopsError =>
  new NetopsError('locked', {
    message: `run ${held.run} (${held.reason}) by ${held.user} holds this host since ${held.since}`,
    hint: 'another one is just taking it over, or it moves again after a silence: try again in a moment',
  })

/** Where whoever takes over from a dead holder says so first; one place for each lease that ever was. */
export const claimPath = (path: string, dead: Lease): string =>
  `${path}.after-${sha256OfText(JSON.stringify(dead)).slice(0, 16)}`

/**
 * Puts our lease in the place of a dead holder's. Only the one who claimed that very lease does so, and a claim whose owner
 * died is claimed in turn: nobody's living lease is ever moved, and it is never gone in between.
 * @returns whether it was done; if not, somebody else was faster
 */
async function replaceDead(ticket: string, path: string, dead: Lease): Promise<boolean> {
  let claim = claimPath(path, dead)
  const claims = [claim]
  while (!(await linked(ticket, claim))) {
    const claimed = await readLease(claim)
    if (claimed === undefined || (await isAlive(claimed.process))) return false
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
