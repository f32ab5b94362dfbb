// How often code looks into a value: grows with the work that is done, on any machine alike.

/**
 * Runs code over a value and counts what it reads of it: properties, lists' items, keys.
 * @returns how many reads there were
 */
export function countReads<T extends object>(value: T, read: (counted: T) => unknown): number {
  let reads = 0
  const made = new WeakMap<object, object>()
  const counted = <V>(given: V): V => {
    if (typeof given !== 'object' || given === null) return given
    const known = made.get(given)
    if (known !== undefined) return known as V
    const proxy = new Proxy(given, {
      get(target, key, receiver) {
        reads += 1
        return counted<unknown>(Reflect.get(target, key, receiver))
      },
      has(target, key) {
        reads += 1
        return Reflect.has(target, key)
      },
      getOwnPropertyDescriptor(target, key) {
        reads += 1
        const found = Reflect.getOwnPropertyDescriptor(target, key)
        return found === undefined ? undefined : { ...found, value: counted<unknown>(found.value) }
      },
    })
    made.set(given, proxy)
    return proxy
  }
  // A copy: what is frozen may not be answered for by somebody else.
  read(counted(structuredClone(value)))
  return reads
}
