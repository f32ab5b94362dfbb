// What V8 takes for a heap, bounded where it would take much: it sizes heaps by the machine's memory, not by what is in them.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// Two halves of 4 MB and one that is being evacuated: from there on larger ones save hardly any work (docs/decisions.md).
const enough = 8 << 20

/**
 * Keeps the young generation of this thread's heap, and of those that are there already, from growing once it has enough. To be
 * called now and then while there is much work.
 */
export function boundYoungGeneration(): void {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  if ((young?.space_size ?? 0) >= enough) setFlagsFromString('--semi-space-growth-factor=1')
}

/**
 * Collects buffers that were thrown away, when they are many: what they hold lies beside the heap, and V8 waits until it is 64 MB or
 * the heap itself is full, which with much data and few objects is late.
 */
export class BufferCollector {
  readonly #most: number
  #thrown = 0

  /** @param most how many bytes may lie around */
  constructor(most: number) {
    this.#most = most
  }

  /** Hears that so many bytes are not needed any more. */
  thrown(bytes: number): void {
    this.#thrown += bytes
    if (this.#thrown < this.#most) return
    this.#thrown = 0
    collectYoung()
  }
}

let collector: ((options: { readonly type: 'minor' }) => void) | undefined

/** A collection of what is young: a millisecond. The function is there in contexts that are made after the flag was set. */
function collectYoung(): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc')
    collector = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void
  }
  collector({ type: 'minor' })
}
