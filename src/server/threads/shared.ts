// What all threads of the process know of each other without a message: counters in memory that they share.
import { addressMemory } from '../standing/standing.ts'

/** Where the process is in its life; the numbers are what is shared. */
const phases = ['starting', 'serving', 'stopping'] as const
export type Phase = (typeof phases)[number]

/** The memory itself, as it is handed to a thread. */
export interface SharedMemory {
  readonly counts: SharedArrayBuffer
  readonly bytes: SharedArrayBuffer
  readonly ranks: SharedArrayBuffer
  /** The primary's address, where this is a standby. */
  readonly primary: SharedArrayBuffer
}

// The first places of `counts`; then come the threads' own, `perThread` each.
const places = { phase: 0, open: 1, maintenance: 2, standby: 3, writes: 4 } as const
const first = Object.keys(places).length
// `heap` in kilobytes, which a whole number of 32 bits has room for.
const own = { mayGiveWay: 0, requests: 1, heap: 2 } as const
const perThread = Object.keys(own).length

// The places of `bytes`.
const held = { bodies: 0, answers: 1 } as const

/** Memory for so many serving threads, in which everything is 0. */
export const createSharedMemory = (threads: number): SharedMemory => ({
  counts: new SharedArrayBuffer((first + threads * perThread) * Int32Array.BYTES_PER_ELEMENT),
  bytes: new SharedArrayBuffer(Object.keys(held).length * BigInt64Array.BYTES_PER_ELEMENT),
  ranks: noRanks(threads),
  primary: addressMemory(),
})

function noRanks(threads: number): SharedArrayBuffer {
  const ranks = new SharedArrayBuffer(threads * Float64Array.BYTES_PER_ELEMENT)
  new Float64Array(ranks).fill(Infinity)
  return ranks
}

/** The shared counters, as any thread reads and changes them. */
export interface Shared {
  readonly threads: number
  readonly phase: () => Phase
  readonly setPhase: (phase: Phase) => void
  /** Whether new work is turned away; health is answered. */
  readonly maintenance: () => boolean
  readonly setMaintenance: (on: boolean) => void
  /** Whether writes are turned away. */
  readonly standby: () => boolean
  readonly setStandby: (on: boolean) => void
  /** Writes that the database is at, of all threads. */
  readonly writes: () => number
  readonly addWrites: (change: number) => void
  /** Open connections of all threads, less those that a thread has promised to close. */
  readonly open: () => number
  /** @returns how many are open with the change */
  readonly addOpen: (change: number) => number
  /** Connections of a thread that may be closed to make room, less those that it was asked to close. */
  readonly addMayGiveWay: (thread: number, change: number) => void
  /** Takes one of a thread's connections that may be closed; false where it has none. */
  readonly claim: (thread: number) => boolean
  /** Of a thread's connections, when the one that gives way first does: the lower, the sooner. */
  readonly first: (thread: number) => number
  readonly setFirst: (thread: number, rank: number) => void
  readonly setRequests: (thread: number, count: number) => void
  /** Requests of all threads that are answered or still arriving. */
  readonly requests: () => number
  /** What a thread uses of its heap, in bytes. */
  readonly setHeap: (thread: number, bytes: number) => void
  readonly heapOf: (thread: number) => number
  /** Memory that bodies of requests hold, in bytes. */
  readonly bodies: () => number
  /** @returns false, and nothing is taken, where that would be more than the most */
  readonly takeBodies: (bytes: number, most: number) => boolean
  readonly giveBodies: (bytes: number) => void
  /** The same for large answers that their clients have not taken yet; one may be as large as it is. */
  readonly takeAnswers: (bytes: number, most: number) => boolean
  readonly giveAnswers: (bytes: number) => void
}

export function openShared({ counts, bytes, ranks: rankMemory }: Omit<SharedMemory, 'primary'>): Shared {
  const numbers = new Int32Array(counts)
  const sizes = new BigInt64Array(bytes)
  // Not of one piece for others to see on every processor: a rank that is wrong for a moment costs one wrong choice.
  const ranks = new Float64Array(rankMemory)
  const threads = (numbers.length - first) / perThread
  const at = (thread: number, which: keyof typeof own): number => first + thread * perThread + own[which]
  const isSet = (place: keyof typeof places) => Atomics.load(numbers, places[place]) !== 0
  const set = (place: keyof typeof places, on: boolean) => void Atomics.store(numbers, places[place], on ? 1 : 0)
  /** @returns what is held with the change */
  const add = (place: number, change: number): number => Number(Atomics.add(sizes, place, BigInt(change))) + change
  return {
    threads,
    phase: () => phases[Atomics.load(numbers, places.phase)] ?? 'starting',
    setPhase: (phase) => void Atomics.store(numbers, places.phase, phases.indexOf(phase)),
    maintenance: () => isSet('maintenance'),
    setMaintenance: (on) => set('maintenance', on),
    standby: () => isSet('standby'),
    setStandby: (on) => set('standby', on),
    writes: () => Atomics.load(numbers, places.writes),
    addWrites: (change) => void Atomics.add(numbers, places.writes, change),
    open: () => Atomics.load(numbers, places.open),
    addOpen: (change) => Atomics.add(numbers, places.open, change) + change,
    addMayGiveWay: (thread, change) => void Atomics.add(numbers, at(thread, 'mayGiveWay'), change),
    claim(thread) {
      const place = at(thread, 'mayGiveWay')
      for (;;) {
        const count = Atomics.load(numbers, place)
        if (count <= 0) return false
        if (Atomics.compareExchange(numbers, place, count, count - 1) === count) return true
      }
    },
    first: (thread) => ranks[thread] ?? Infinity,
    setFirst: (thread, rank) => {
      ranks[thread] = rank
    },
    setRequests: (thread, count) => void Atomics.store(numbers, at(thread, 'requests'), count),
    requests() {
      let sum = 0
      for (let thread = 0; thread < threads; thread += 1) sum += Atomics.load(numbers, at(thread, 'requests'))
      return sum
    },
    setHeap: (thread, used) => void Atomics.store(numbers, at(thread, 'heap'), Math.round(used / 1024)),
    heapOf: (thread) => Atomics.load(numbers, at(thread, 'heap')) * 1024,
    bodies: () => Number(Atomics.load(sizes, held.bodies)),
    takeBodies(taken, most) {
      if (add(held.bodies, taken) <= most) return true
      add(held.bodies, -taken)
      return false
    },
    giveBodies: (given) => void add(held.bodies, -given),
    takeAnswers(taken, most) {
      const sum = add(held.answers, taken)
      if (sum <= most || sum === taken) return true
      add(held.answers, -taken)
      return false
    },
    giveAnswers: (given) => void add(held.answers, -given),
  }
}
