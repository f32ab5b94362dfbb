// A map that never changes for whoever holds it, and of which another with one more entry costs no copy.

/** What a version knows that does not own the map: the next one, and in what it differs from that. */
interface Difference<T> {
  readonly next: SharedMap<T>
  readonly key: string
  readonly had: boolean
  readonly value: T | undefined
}

/**
 * All versions share one map, which the version that was used last owns (Baker's persistent arrays): reading and extending
 * the newest takes constant time, going back to an older one as long as there are versions between. A version knows the
 * next, not the one before, so old ones are given up with their last holder.
 */
export class SharedMap<T> {
  /** Holds what this version has only while that has no difference. */
  readonly #shared: Map<string, T>
  #difference: Difference<T> | undefined

  private constructor(shared: Map<string, T>) {
    this.#shared = shared
  }

  static empty<T>(): SharedMap<T> {
    return new SharedMap(new Map<string, T>())
  }

  get size(): number {
    return this.#own().size
  }

  get(key: string): T | undefined {
    return this.#own().get(key)
  }

  /** In the order in which their keys came first. */
  values(): readonly T[] {
    return [...this.#own().values()]
  }

  /** The same with another value, or with one key more. */
  with(key: string, value: T): SharedMap<T> {
    const map = this.#own()
    const next = new SharedMap(map)
    this.#leaveTo(next, key)
    map.set(key, value)
    return next
  }

  /** From here on another version owns the map, and differs in this key. */
  #leaveTo(next: SharedMap<T>, key: string): void {
    this.#difference = { next, key, had: this.#shared.has(key), value: this.#shared.get(key) }
  }

  /** The shared map as this version has it; whichever version had it before becomes a difference. */
  #own(): Map<string, T> {
    if (this.#difference === undefined) return this.#shared
    const others: SharedMap<T>[] = [this]
    for (let { next } = this.#difference; next.#difference !== undefined; { next } = next.#difference) others.push(next)
    // From the owner back: a key that came last goes first, so that the order is as it was.
    for (const version of others.toReversed()) version.#takeBack()
    return this.#shared
  }

  /** Takes the map from the next version. */
  #takeBack(): void {
    if (this.#difference === undefined) return
    const { next, key, had, value } = this.#difference
    next.#leaveTo(this, key)
    if (had) this.#shared.set(key, value as T)
    else this.#shared.delete(key)
    this.#difference = undefined
  }
}
