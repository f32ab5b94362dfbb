// A lease as a file: who holds it, whether the holder still lives, and how it passes from the dead to the living.
import { randomBytes } from 'node:crypto'
import { constants, promises as fs, fstatSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { NetopsError, systemCode } from '../model/errors.ts'
import { runsCommand } from '../model/paths.ts'
import { damagedState, parseState, putAside, type StateSource } from '../model/state-text.ts'
import { linked, sha256OfText, syncFolder } from '../system/files.ts'
import { writerOf } from '../system/open-files.ts'
import { identifySelf, isAlive, processIdentity, signalProcess, type ProcessIdentity } from '../system/processes.ts'
import { makeStateFolder, readStateText } from '../system/state-file.ts'
import { HeartbeatWatch } from './heartbeat.ts'
import { accountName } from '../system/account.ts'

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
  /** Whose it is; of one that is damaged only what its file's own times and the processes of this machine tell. */
  readonly lease: Lease
  readonly standing: LeaseState
  /** How long ago the last heartbeat was, by this machine's clock, in ms. */
  readonly silentMs: number
  /** Its last heartbeat is from the future: the clock was set back. Whether its holder lives shows with the next. */
  readonly ahead: boolean
  /** Why its file cannot be read. */
  readonly damage?: NetopsError
  /** What stands in the file: what tells it from the next one. */
  readonly content: string
}

const mostBytes = 1 << 16

const sourceOf = (path: string): StateSource => ({ path, hint: putAside(path) })

/**
 * The lease in a file as it stands, or undefined when nobody holds it.
 * @throws NetopsError `damaged` where the file does not say
 */
export async function readLease(path: string): Promise<Lease | undefined> {
  const text = await readStateText(sourceOf(path), mostBytes)
  return text === undefined ? undefined : parseState(lease, text, sourceOf(path))
}

/**
 * A heartbeat for a lease of this run; returns the lease as it stands, whoever's it is.
 * @throws NetopsError `damaged` where the file does not say
 */
export async function renewLease(path: string, run: string): Promise<Lease | undefined> {
  let handle
  try {
    handle = await fs.open(path, constants.O_RDWR | constants.O_NONBLOCK)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (systemCode(error) === 'EISDIR') throw damagedState(sourceOf(path), 'it is a folder', error)
    throw error
  }
  try {
    // One descriptor for both: what was read is what gets the heartbeat.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(mostBytes), 0, mostBytes, 0)
    const held = parseState(lease, buffer.toString('utf8', 0, bytesRead), sourceOf(path))
    const now = new Date()
    if (held.run === run) await handle.utimes(now, now)
    return held
  } finally {
    await handle.close()
  }
}

/**
 * As {@link readLease}, with what is to be thought of its holder. One that is damaged is judged too: by who has it open, or
 * where its holder is on another machine by its heartbeat.
 * @param watch over earlier looks; without one a heartbeat from the future was just given
 */
export async function judgeLease(
  path: string,
  timing = leaseTiming,
  watch = new HeartbeatWatch(),
): Promise<Judged | undefined> {
  const found = await findLease(path)
  const modified = await heartbeatOf(path)
  if (found === undefined || modified === undefined) return undefined
  const { silentMs, ahead } = watch.look(modified, timing.heartbeatMs)
  const silent = silentMs > timing.boundMs
  const holder = found.damage === undefined ? undefined : await writerOf(path)
  const held: Lease = 'lease' in found ? found.lease : unknownLease(path, modified, holder)
  const rest = { lease: held, silentMs, ahead, content: found.content, ...(found.damage && { damage: found.damage }) }
  if (held.remote === true) return { ...rest, standing: silent ? 'dead' : 'held' }
  const lives = found.damage === undefined ? await isAlive(held.process) : holder !== undefined
  return { ...rest, standing: !lives ? 'dead' : silent ? 'silent' : 'held' }
}

/**
 * As {@link judgeLease}; where the last heartbeat is from the future, it is watched until the next one comes, or its holder
 * was silent for as long as any may be.
 */
export async function judgeSettled(path: string, timing = leaseTiming): Promise<Judged | undefined> {
  const watch = new HeartbeatWatch()
  for (;;) {
    const judged = await judgeLease(path, timing, watch)
    if (judged?.ahead !== true || judged.standing !== 'held') return judged
    await sleep(Math.min(250, timing.heartbeatMs / 2))
  }
}

type FoundLease =
  | { readonly content: string; readonly lease: Lease; readonly damage?: undefined }
  | { readonly content: string; readonly damage: NetopsError }

async function findLease(path: string): Promise<FoundLease | undefined> {
  let content = ''
  try {
    const text = await readStateText(sourceOf(path), mostBytes)
    if (text === undefined) return undefined
    content = text.trimEnd()
    return { content, lease: parseState(lease, text, sourceOf(path)) }
  } catch (error) {
    // One of a newer netops is not damaged, and nobody here can say what it means.
    if (!(error instanceof NetopsError) || error.code !== 'damaged') throw error
    return { content, damage: error }
  }
}

/** The holder of a fleet's lease is on another machine. */
const isFleets = (path: string): boolean => basename(path).startsWith('fleet-lease')

const unknownLease = (path: string, modified: number, holder: ProcessIdentity | undefined): Lease => ({
  schema: 'netops/lease/v1',
  run: 'unknown',
  reason: 'its file is damaged',
  host: isFleets(path) ? 'another machine' : hostname(),
  user: 'unknown',
  since: new Date(modified).toISOString(),
  process: holder ?? { pid: 0, startTime: '', bootId: '' },
  ...(isFleets(path) ? { remote: true } : {}),
})

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
 * @throws NetopsError what `mayTakeOver` throws; `locked` when a silent holder moves again or cannot be ended; `damaged` where
 * something lies in the lease's place that cannot be replaced
 */
export async function takeLease(path: string, wish: LeaseWish): Promise<Judged | undefined> {
  await makeStateFolder(dirname(path))
  const { run, reason, remote } = wish
  const mine: Lease = {
    schema: 'netops/lease/v1',
    run,
    reason,
    host: remote?.host ?? hostname(),
    user: remote?.user ?? accountName(),
    since: new Date().toISOString(),
    process: await identifySelf(),
    ...(remote === undefined ? {} : { remote: true }),
  }
  const ticket = `${path}.${randomBytes(6).toString('hex')}`
  await fs.writeFile(ticket, `${JSON.stringify(mine)}\n`, { mode: 0o600, flush: true })
  try {
    for (let tries = 1; ; tries += 1) {
      const held = await judgeSettled(path, wish.timing)
      // Whoever is just taking over from a dead holder needs moments for it.
      if (held !== undefined && tries > mostTries) throw moves(held.lease)
      if (held !== undefined) await wish.mayTakeOver(held)
      if (held?.damage !== undefined && (await fs.lstat(path)).isDirectory()) throw held.damage
      if (held?.standing === 'silent') await fence(path, held, wish.timing)
      const taken = held === undefined ? await linked(ticket, path) : await replaceDead(ticket, path, held)
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
export const claimPath = (path: string, { content }: Pick<Judged, 'content'>): string =>
  `${path}.after-${sha256OfText(content).slice(0, 16)}`

/**
 * Puts our lease in the place of a dead holder's. Only the one who claimed that very lease does so, and a claim whose owner
 * died is claimed in turn: nobody's living lease is ever moved, and it is never gone in between.
 * @returns whether it was done; if not, somebody else was faster
 */
async function replaceDead(ticket: string, path: string, dead: Judged): Promise<boolean> {
  let claim = claimPath(path, dead)
  const claims = [claim]
  while (!(await linked(ticket, claim))) {
    const claimed = await findLease(claim)
    if (claimed === undefined || ('lease' in claimed && (await isAlive(claimed.lease.process)))) return false
    claim = claimPath(path, claimed)
    claims.push(claim)
  }
  const ours = (await findLease(path))?.content === dead.content
  if (ours) await fs.rename(ticket, path)
  for (const done of ours ? claims : [claim]) await fs.rm(done, { force: true })
  return ours
}
