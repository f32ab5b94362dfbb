// The four checks behind /health. Each says what is wrong, or nothing; what they look at comes in as arguments.
import { constants } from 'node:fs'
import { open, statfs, unlink } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { get as getOverTls } from 'node:https'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { messageOf, systemCode } from '../model/errors.ts'
import { urlHost } from '../model/login-names.ts'
import { formatBytes } from '../model/units.ts'
import { groupMemory, type GroupMemory } from './cgroup.ts'
import { StoreUnavailable, type Store } from './store/port.ts'

/** Why a check fails. */
export interface Failure {
  /** For whoever asks, who may be anybody: without paths, addresses, or names of users. */
  readonly reason: string
  /** The same for the log, with all that helps. */
  readonly detail: string
}

/** What is wrong, or undefined when the check holds. */
export type Verdict = Failure | undefined
export type Check = () => Promise<Verdict>

const same = (reason: string): Failure => ({ reason, detail: reason })

const memoryLimits = {
  // The kernel kills a process that reaches its control group's or the machine's memory; a tenth is what remains to react.
  residentShare: 0.9,
  // V8 ends the process at its heap limit, and spends most of its time collecting shortly before.
  heapShare: 0.9,
  // Below this the kernel reclaims file pages of running programs, and every process of the host slows down.
  leastAvailable: 64 * 2 ** 20,
} as const

// The request goes to this very process: an answer takes well under a millisecond unless nobody accepts.
const requestTimeLimitMs = 1000

// By which the service's own requests can be told from those of balancers, in the access log for one.
const ownCheck = { 'user-agent': 'network_server/health-check' } as const

/** Bytes. */
export interface HeapReading {
  readonly used: number
  readonly limit: number
}

export interface MemoryReading {
  readonly resident: number
  /** The least of the control groups' limits and the machine's memory. */
  readonly residentLimit: number
  /** Of the control group that is nearest to its limit, with all that runs in it; undefined where none has one. */
  readonly group: GroupMemory | undefined
  /** Of each thread. */
  readonly heaps: readonly HeapReading[]
  readonly available: number
}

/**
 * The process's and the machine's memory now, in bytes.
 * @param others the heaps of other threads than this one
 */
export function readMemory(others: readonly HeapReading[] = []): MemoryReading {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  const group = groupMemory()
  // 0, or more than any machine has, where nothing constrains it.
  const constrained = process.constrainedMemory()
  const limits = [totalmem(), ...(constrained > 0 ? [constrained] : []), ...(group === undefined ? [] : [group.limit])]
  return {
    resident: process.memoryUsage.rss(),
    residentLimit: Math.min(...limits),
    group,
    heaps: [{ used, limit }, ...others],
    available: freemem(), // on Linux the kernel's MemAvailable, which counts what caches can give back
  }
}

export function judgeMemory({ resident, residentLimit, group, heaps, available }: MemoryReading): Verdict {
  if (resident > residentLimit * memoryLimits.residentShare) {
    return same(`${formatBytes(resident)} in memory of at most ${formatBytes(residentLimit)}`)
  }
  if (group !== undefined && group.used > group.limit * memoryLimits.residentShare) {
    return same(`the control group uses ${formatBytes(group.used)} of at most ${formatBytes(group.limit)}`)
  }
  const full = heaps.find(({ used, limit }) => used > limit * memoryLimits.heapShare)
  if (full !== undefined) {
    return same(`${formatBytes(full.used)} of heap used of at most ${formatBytes(full.limit)}`)
  }
  if (available < memoryLimits.leastAvailable) {
    return same(
      `${formatBytes(available)} of memory available on this host, less than ${formatBytes(memoryLimits.leastAvailable)}`,
    )
  }
  return undefined
}

/** A folder that the service writes to. */
export interface WrittenFolder {
  readonly path: string
  /** What it is for, as clients may know it: `data`, `log`. */
  readonly place: string
}

/** Bytes that an unprivileged process may still write to a folder's file system. */
async function freeDiskOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** The same by what the folders are for: the least where several are for the same. A folder that is not there has no figure. */
export async function freeDisk(folders: readonly WrittenFolder[]): Promise<Readonly<Record<string, number>>> {
  const free: Record<string, number> = {}
  for (const { path, place } of folders) {
    const bytes = await freeDiskOf(path).catch(() => Infinity)
    if (bytes < (free[place] ?? Infinity)) free[place] = bytes
  }
  return free
}

// A hidden file of one name: what a kill leaves behind is replaced by the next check, and never more than one.
const probeName = '.network_server-health'
const probeBytes = Buffer.alloc(4096, 'health\n')

/**
 * Whether each folder's file system has that many bytes left for an unprivileged process, and takes a file: a quota, a
 * file system that went read-only and one that has no inode left all show themselves there alone.
 */
export async function checkDisk(folders: readonly WrittenFolder[], least: number): Promise<Verdict> {
  for (const { path, place } of folders) {
    try {
      const free = await freeDiskOf(path)
      if (free < least) {
        const missing = `less than ${formatBytes(least)}`
        return {
          reason: `${formatBytes(free)} free in the ${place} folder, ${missing}`,
          detail: `${formatBytes(free)} free below ${path}, ${missing}`,
        }
      }
      await writeProbe(join(path, probeName))
    } catch (error) {
      const code = systemCode(error) ?? 'an error'
      return { reason: `the ${place} folder takes no file: ${code}`, detail: `${path}: ${messageOf(error)}` }
    }
  }
  return undefined
}

async function writeProbe(path: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
  const handle = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
  try {
    // Not synchronised: the database's check waits for the disk, and once a second is often enough for one.
    await handle.write(probeBytes)
  } finally {
    await handle.close()
    await unlink(path).catch((error: unknown) => {
      // While one process takes over from another, both look.
      if (systemCode(error) !== 'ENOENT') throw error
    })
  }
}

/** Whether the database answers, takes a write and gives it back. */
export async function checkDatabase(store: Pick<Store, 'verify'>): Promise<Verdict> {
  try {
    await store.verify()
    return undefined
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) return { reason: 'the check failed', detail: messageOf(error) }
    const { reason, cause } = error
    return { reason, detail: cause === undefined ? reason : `${reason}: ${messageOf(cause)}` }
  }
}

/** Where the service itself listens. */
export interface Listener {
  readonly address: string
  readonly port: number
  readonly speaks: 'http' | 'tls'
}

/** Whether each listening socket answers a request for /health/live. */
export async function checkNetwork(listeners: readonly Listener[]): Promise<Verdict> {
  // Threads that share an address are one listener, of which the kernel chooses who answers.
  const apart = new Map(listeners.map((one) => [`${one.speaks} ${one.address} ${one.port}`, one]))
  const verdicts = await Promise.all([...apart.values()].map(checkListener))
  return verdicts.find((verdict) => verdict !== undefined)
}

function checkListener({ address, port, speaks }: Listener): Promise<Verdict> {
  const name = speaks === 'tls' ? 'the TLS port' : 'the port'
  // The unspecified address is for listening; connecting goes to this host's own.
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address
  const where = `${urlHost(host)}:${port}`
  const options = {
    ...{ host, port, path: '/health/live', agent: false, headers: { host: where, ...ownCheck } },
    // Whether clients trust the certificate is another question, which its own figures answer.
    rejectUnauthorized: false,
  }
  return new Promise((resolve) => {
    const settle = (reason: string | undefined, detail = reason) => {
      clearTimeout(limit)
      resolve(
        reason === undefined ? undefined : { reason: `${name} ${reason}`, detail: `${where}: ${detail ?? reason}` },
      )
      request.destroy()
    }
    const onAnswer = (response: IncomingMessage) => {
      const status = response.statusCode ?? 0
      response.resume()
      // Too many connections answer 503 too, and then it does answer.
      if (status === 200 || status === 503) settle(undefined)
      else settle(`answers ${status} to /health/live`)
    }
    const request = speaks === 'tls' ? getOverTls(options, onAnswer) : get(options, onAnswer)
    const limit = setTimeout(() => settle('does not answer within 1 s'), requestTimeLimitMs)
    request.on('error', (error) => settle(`does not answer: ${systemCode(error) ?? 'an error'}`, messageOf(error)))
  })
}
