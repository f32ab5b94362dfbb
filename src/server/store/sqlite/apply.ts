// One write inside of the transaction that it shares with others: conditions, idempotency keys and versions.
import type { Condition, Idempotency, Write, WriteOutcome } from '../port.ts'
import type { Remembered, Statements } from './statements.ts'

/** What the writes of one transaction have in common. */
export interface Group {
  readonly statements: Statements
  readonly nowMs: number
  readonly nextVersion: () => number
}

/**
 * Does a write where its condition holds and its idempotency key is new.
 * @returns what came of it; `changed` says whether anything was written
 */
export function applyWrite(group: Group, write: Write): { readonly outcome: WriteOutcome; readonly changed: boolean } {
  const { statements } = group
  const { idempotency } = write
  const before = idempotency === undefined ? undefined : statements.remembered(idempotency.key)
  if (before !== undefined) return { outcome: repeat(before, idempotency), changed: false }
  const found = statements.find(write)
  if (!holds(write.condition, found?.version)) return { outcome: { kind: 'condition-failed' }, changed: false }
  const outcome = change(group, write, found?.row)
  if (idempotency !== undefined) {
    const version = 'version' in outcome ? outcome.version : undefined
    statements.remember(idempotency.key, { request: idempotency.request, kind: outcome.kind, version }, group.nowMs)
  }
  return { outcome, changed: outcome.kind !== 'missing' || idempotency !== undefined }
}

function change({ statements, nowMs, nextVersion }: Group, write: Write, row: number | undefined): WriteOutcome {
  const { value } = write
  if (value === undefined) {
    if (row === undefined) return { kind: 'missing' }
    statements.remove(row)
    return { kind: 'deleted', repeated: false }
  }
  const record = { value, version: nextVersion(), updatedMs: nowMs }
  if (row === undefined) statements.insert(write, record)
  else statements.replace(row, record)
  return { kind: row === undefined ? 'created' : 'replaced', version: record.version, repeated: false }
}

function holds(condition: Condition, version: number | undefined): boolean {
  switch (condition.kind) {
    case 'always':
      return true
    case 'absent':
      return version === undefined
    case 'present':
      return version !== undefined
    case 'versions':
      return version !== undefined && condition.versions.includes(version)
  }
}

function repeat({ request, kind, version }: Remembered, asked: Idempotency | undefined): WriteOutcome {
  if (request !== asked?.request) return { kind: 'key-reused' }
  if (kind === 'deleted') return { kind, repeated: true }
  // What was not there to delete: a record that came since is not what the request was about.
  if (kind === 'missing') return { kind }
  if ((kind === 'created' || kind === 'replaced') && version !== undefined) return { kind, version, repeated: true }
  throw new Error(`an idempotency key was answered with ${kind}`)
}
