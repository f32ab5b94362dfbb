// A store that keeps records in memory alone: what every store must do, in the fewest words. The others, and the API over
// them, are compared with it.
import {
  mostOfPage,
  StoreUnavailable,
  type Store,
  type StoredRecord,
  type Write,
  type WriteOutcome,
} from '../../src/server/store/port.ts'

export interface MemoryStore extends Store {
  /** From now on nothing can be asked, for this reason; undefined ends that. */
  readonly fail: (reason: string | undefined) => void
}

export function memoryStore(now: () => number = Date.now): MemoryStore {
  const collections = new Map<string, Map<string, StoredRecord>>()
  const answers = new Map<string, { readonly request: string; readonly outcome: WriteOutcome }>()
  let version = 0
  let failing: string | undefined

  const check = () => {
    if (failing !== undefined) throw new StoreUnavailable(failing)
  }
  const of = (collection: string) => {
    const found = collections.get(collection) ?? new Map<string, StoredRecord>()
    collections.set(collection, found)
    return found
  }
  const allows = ({ condition }: Write, there: StoredRecord | undefined): boolean => {
    switch (condition.kind) {
      case 'always':
        return true
      case 'absent':
        return there === undefined
      case 'present':
        return there !== undefined
      case 'versions':
        return there !== undefined && condition.versions.includes(there.version)
    }
  }
  const apply = (write: Write): WriteOutcome => {
    const { collection, key, value } = write
    const records = of(collection)
    const there = records.get(key)
    if (!allows(write, there)) return { kind: 'condition-failed' }
    if (value === undefined) {
      if (!records.delete(key)) return { kind: 'missing' }
      version += 1
      return { kind: 'deleted', repeated: false }
    }
    version += 1
    records.set(key, { key, value, version, updatedMs: now() })
    return { kind: there === undefined ? 'created' : 'replaced', version, repeated: false }
  }

  return {
    fail: (reason) => (failing = reason),
    async get({ collection, key }) {
      await Promise.resolve()
      check()
      return of(collection).get(key)
    },
    async list({ collection, prefix, after, limit }) {
      await Promise.resolve()
      check()
      const found = [...of(collection).values()]
        .filter(
          ({ key }) =>
            key.startsWith(prefix) && (after === '' || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0),
        )
        .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
      let bytes = 0
      const end = found.findIndex(
        ({ value }, index) => index >= limit || ((bytes += Buffer.byteLength(value)) > mostOfPage && index > 0),
      )
      const page = end < 0 ? found : found.slice(0, end)
      return { records: page, more: page.length < found.length }
    },
    async write(write) {
      await Promise.resolve()
      check()
      const { idempotency } = write
      const before = idempotency === undefined ? undefined : answers.get(idempotency.key)
      if (before !== undefined) {
        if (before.request !== idempotency?.request) return { kind: 'key-reused' }
        return 'repeated' in before.outcome ? { ...before.outcome, repeated: true } : before.outcome
      }
      const outcome = apply(write)
      if (idempotency !== undefined && outcome.kind !== 'condition-failed') {
        answers.set(idempotency.key, { request: idempotency.request, outcome })
      }
      return outcome
    },
    async verify() {
      await Promise.resolve()
      check()
    },
    close: () => Promise.resolve(),
  }
}
