// How many connections may be open, and who gives way when all places are taken: whoever has sent nothing, then whoever
// has waited longest for another request. The last places are for health alone.

/** An open connection. */
export interface Guest {
  /** Closes it at once. */
  readonly leave: () => void
  /** Those that are at the same as it is; kept by the places. */
  among?: Set<Guest> | undefined
}

export interface PlacesOptions {
  /** Connections that may be open at once. */
  readonly most: number
  /** Connections beyond that, on which only health is answered, and one request each. */
  readonly reserved: number
  /** A connection without a request was closed to make room. */
  readonly onGivenUp: () => void
  /** A connection or its request was turned away, because every other one is at work. */
  readonly onRefused: () => void
}

export interface Places {
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
}

export function createPlaces({ most, reserved, onGivenUp, onRefused }: PlacesOptions): Places {
  // Sets keep the order in which their members came: the first is the one that has waited longest.
  const parting = new Set<Guest>()
  const silent = new Set<Guest>()
  const idle = new Set<Guest>()
  const working = new Set<Guest>()
  const giveWay = [parting, silent, idle]

  const open = () => parting.size + silent.size + idle.size + working.size
  const exit = (guest: Guest) => {
    guest.among?.delete(guest)
    guest.among = undefined
  }
  const move = (guest: Guest, to: Set<Guest>) => {
    // One that was closed meanwhile stays away.
    if (guest.among === undefined) return
    guest.among.delete(guest)
    to.add(guest)
    guest.among = to
  }
  const makeRoom = (): boolean => {
    const [guest] = giveWay.find(({ size }) => size > 0) ?? idle
    if (guest === undefined) return false
    exit(guest)
    onGivenUp()
    guest.leave()
    return true
  }
  const within = (limit: number): boolean => {
    while (open() > limit) {
      if (makeRoom()) continue
      onRefused()
      return false
    }
    return true
  }

  return {
    open,
    full: () => open() > most,
    enter(guest) {
      if (!within(most + reserved - 1)) return false
      silent.add(guest)
      guest.among = silent
      return true
    },
    work: (guest) => move(guest, working),
    rest: (guest) => move(guest, idle),
    part: (guest) => move(guest, parting),
    exit,
    admit: () => within(most),
  }
}
