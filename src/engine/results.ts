// What the work of a run came to, step by step: for hooks and for scripts. Pure.
import type { JournalRecord } from '../model/journal.ts'
import type { Json } from '../model/json.ts'

/** By the step's id; work of a host run by the id of the step that started it too: `web1/gc/journals`. */
export function resultsIn(records: readonly JournalRecord[]): Readonly<Record<string, Json>> {
  const results: Record<string, Json> = {}
  for (const record of records) {
    const [own, under] = record.type === 'relayed' ? [record.record, `${record.step}/`] : [record, '']
    if (own.type === 'done' && own.result !== undefined) results[`${under}${own.step}`] = own.result
  }
  return results
}
