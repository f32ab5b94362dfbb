// How many connections may be open, and who gives way when all places are taken: whoever has sent nothing, then whoever
// has waited longest for another request. The last places are for health alone.
import type { Crowd } from './threads/crowd.ts'

/** An open connection. */
export interface Guest {
  /** Closes it at once. */
  readonly leave: () => void
  /** Those that are at the same as it is, and who came before and after it; kept by the places. */
  among?: Line | undefined
  before?: Guest | undefined
  after?: Guest | undefined
  /** Since when, in ms of a clock of all threads. */
  since?: number
}

/**
 * Connections that are at the same, in the order in which they came to it. Each request moves its connection from one to
 * another and back: of a Set that would make new tables again and again.
 */
class Line {
  first: Guest | undefined
  #last: Guest | undefined
  size = 0

  add(guest: Guest): void {
    guest.among = this
    guest.before = this.#last
    if (this.#last === undefined) this.first = guest
    else this.#last.after = guest
    this.#last = guest
    this.size += 1
  }

  remove(guest: Guest): void {
    const { before, after } = guest
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    guest.among = guest.before = guest.after = undefined
    this.size -= 1
  }
}

export interface PlacesOptions {
  /** Connections that may be open at once, in all threads. */
  readonly most: number
  /** Connections beyond that, on which only health is answered, and one request each. */
  readonly reserved: number
  /** The connections of the other threads. */
  readonly crowd: Crowd
  /** A connection without a request was closed to make room. */
  readonly onGivenUp: () => void
  /** A connection or its request was turned away, because every other one is at work. */
  readonly onRefused: () => void
}

export interface Places {
  /** Those of this thread. */
  readonly open: () => number
  /** Whether the places for everything are all taken. */
  readonly full: () => boolean
  /**
   * A connection has come.
   * @returns false where there is no place for it
   */
  readonly enter: (guest: Guest) => boolean
  /** Its request is worked on: it does not give way. */
  readonly work: (guest: Guest) => void
  /** It is open for another request. */
  readonly rest: (guest: Guest) => void
  /** It is open only until its client has gone: the first to give way. */
  readonly part: (guest: Guest) => void
  readonly exit: (guest: Guest) => void
  /** Whether a request that is not for health may be answered; connections without a request give way to it. */
  readonly admit: () => boolean
  /** So many may be open from now on; those who may give way do when somebody comes. */
  readonly setMost: (most: number) => void
  /** Another thread has taken the place of one that may give way here: it is closed now, or as soon as there is one. */
  readonly giveWay: () => void
}

// Longer than any process runs, in ms: whatever gives way sooner does so however short its wait.
const longestRun = 2 ** 43

/** The same clock in every thread, which nobody sets. */
const now = (): number => performance.now() + beginning
// Of this thread's own clock, by that of the machine.
const beginning = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now()

export function createPlaces({ most: first, reserved, crowd, onGivenUp, onRefused }: PlacesOptions): Places {
  let most = first
  const [parting, silent, idle, working] = [new Line(), new Line(), new Line(), new Line()]
  // Places that others have taken here, while all who could make them were at work again.
  let owed = 0

  // Who has waited longest gives way first among those that are at the same.
  const rankOf = ({ among, since = 0 }: Guest): number => {
    const kind = among === parting ? 0 : among === silent ? 1 : 2
    return kind * longestRun + since
  }
  // The rank that the others know.
  let told = Infinity
  const tellFirst = () => {
    const guest = oldest()
    const rank = guest === undefined ? Infinity : rankOf(guest)
    if (rank !== told) crowd.first((told = rank))
  }
  const open = () => parting.size + silent.size + idle.size + working.size
  const take = (guest: Guest, among: Line) => {
    among.add(guest)
    if (among === working) return
    guest.since = now()
    crowd.addMayGiveWay(1)
    // Whoever comes to rest last gives way last.
    if (told === Infinity || among !== idle) tellFirst()
  }
  const drop = (guest: Guest) => {
    const { among } = guest
    if (among === undefined) return false
    const rank = among === working ? Infinity : rankOf(guest)
    among.remove(guest)
    if (among === working) return true
    crowd.addMayGiveWay(-1)
    if (rank === told) tellFirst()
    return true
  }
  const exit = (guest: Guest) => {
    if (!drop(guest)) return
    if (owed === 0) {
      crowd.addOpen(-1)
      return
    }
    // Its place is another's already, who took it from both counts.
    owed -= 1
    crowd.addMayGiveWay(1)
  }
  const oldest = (): Guest | undefined => parting.first ?? silent.first ?? idle.first
  const close = (guest: Guest) => {
    exit(guest)
    onGivenUp()
    guest.leave()
  }
  const settle = () => {
    for (let guest = oldest(); owed > 0 && guest !== undefined; guest = oldest()) close(guest)
  }
  const move = (guest: Guest, to: Line) => {
    // One that was closed meanwhile stays away.
    if (guest.among === undefined) return
    drop(guest)
    take(guest, to)
    settle()
  }
  const within = (limit: number): boolean => {
    while (crowd.open() > limit) {
      const guest = oldest()
      if (crowd.askOthers(guest === undefined ? Infinity : rankOf(guest))) continue
      if (guest === undefined) {
        onRefused()
        return false
      }
      close(guest)
    }
    return true
  }

  return {
    open,
    full: () => crowd.open() > most,
    enter(guest) {
      crowd.addOpen(1)
      if (!within(most + reserved)) {
        crowd.addOpen(-1)
        return false
      }
      take(guest, silent)
      return true
    },
    work: (guest) => move(guest, working),
    rest: (guest) => move(guest, idle),
    part: (guest) => move(guest, parting),
    exit,
    admit: () => within(most),
    setMost: (next) => void (most = next),
    giveWay() {
      owed += 1
      settle()
    },
  }
}
