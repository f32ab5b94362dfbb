// The four checks behind /health. Each says what is wrong, or nothing; what they look at comes in as arguments.
import { statfs } from 'node:fs/promises'
import { connect, type AddressInfo } from 'node:net'
import { freemem, totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { messageOf } from '../model/errors.ts'
import { formatBytes } from '../model/units.ts'
import { StoreUnavailable, type Store } from './store/port.ts'

/** What is wrong, or undefined when the check holds. */
export type Verdict = string | undefined
export type Check = () => Promise<Verdict>

const memoryLimits = {
  // The kernel kills a process that reaches its control group's or the machine's memory; a tenth is what remains to react.
  residentShare: 0.9,
  // V8 ends the process at its heap limit, and spends most of its time collecting shortly before.
  heapShare: 0.9,
  // Below this the kernel reclaims file pages of running programs, and every process of the host slows down.
  leastAvailable: 64 * 2 ** 20,
} as const

// The connection goes to this very process: an answer takes well under a millisecond unless nobody accepts.
const connectTimeLimitMs = 1000

export interface MemoryReading {
  readonly resident: number
  /** The control group's limit or the machine's memory, whichever is less. */
  readonly residentLimit: number
  readonly heapUsed: number
  readonly heapLimit: number
  readonly available: number
}

/** The process's and the machine's memory now, in bytes. */
export function readMemory(): MemoryReading {
  const heap = getHeapStatistics()
  const constrained = process.constrainedMemory()
  return {
    resident: process.memoryUsage.rss(),
    residentLimit: constrained > 0 ? Math.min(constrained, totalmem()) : totalmem(),
    heapUsed: heap.used_heap_size,
    heapLimit: heap.heap_size_limit,
    available: freemem(), // on Linux the kernel's MemAvailable, which counts what caches can give back
  }
}

export function judgeMemory(reading: MemoryReading): Verdict {
  const { resident, residentLimit, heapUsed, heapLimit, available } = reading
  if (resident > residentLimit * memoryLimits.residentShare) {
    return `${formatBytes(resident)} in memory of at most ${formatBytes(residentLimit)}`
  }
  if (heapUsed > heapLimit * memoryLimits.heapShare) {
    return `${formatBytes(heapUsed)} of heap used of at most ${formatBytes(heapLimit)}`
  }
  if (available < memoryLimits.leastAvailable) {
    return `${formatBytes(available)} of memory available on this host, less than ${formatBytes(memoryLimits.leastAvailable)}`
  }
  return undefined
}

/** Whether each folder's file system has that many bytes left for an unprivileged process, and a free inode. */
export async function checkDisk(folders: readonly string[], least: number): Promise<Verdict> {
  for (const folder of folders) {
    const disk = await statfs(folder)
    const free = disk.bavail * disk.bsize
    if (free < least) return `${formatBytes(free)} free below ${folder}, less than ${formatBytes(least)}`
    // Some file systems (btrfs, overlay on some kernels) have no fixed number of inodes and report 0 of 0.
    if (disk.files > 0 && disk.ffree === 0) return `no free inode below ${folder}`
  }
  return undefined
}

/** Whether the database takes a write and gives it back. */
export async function checkDatabase(store: Pick<Store, 'verify'>): Promise<Verdict> {
  try {
    await store.verify()
    return undefined
  } catch (error) {
    const cause = error instanceof StoreUnavailable ? error.cause : undefined
    return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`
  }
}

/**
 * Whether a listening socket takes connections: one is made to it and closed again.
 * @param address where it listens, or null when it does not
 */
export function checkNetwork(address: AddressInfo | null): Promise<Verdict> {
  if (address === null) return Promise.resolve('not listening')
  // The unspecified address is for listening; connecting goes to this host's own.
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address.address] ?? address.address
  return new Promise((resolve) => {
    const socket = connect({ host, port: address.port })
    const settle = (verdict: Verdict) => {
      resolve(verdict)
      socket.destroy()
    }
    socket.setTimeout(connectTimeLimitMs, () => settle(`no connection to ${host}:${address.port} within 1 s`))
    socket.once('connect', () => settle(undefined))
    socket.once('error', (error) => settle(messageOf(error)))
  })
}
