// All procedures of a host: adding one touches its folder and this list.
import { dirname } from 'node:path'
import { foldersOf, isHostEffect, type Effect } from '../model/effects.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { stepsOf } from '../model/plan.ts'
import { refuseDistrusted } from '../system/folder-trust.ts'
import { databaseRestore } from './database-restore/host-procedure.ts'
import { backup } from './backup/host-procedure.ts'
import { backupCopy } from './backup-copy/host-procedure.ts'
import { backupExpire } from './backup-expire/host-procedure.ts'
import { backupVerify } from './backup-verify/host-procedure.ts'
import { activate } from './deploy/host-procedure.ts'
import { backupDrill } from './drill/host-procedure.ts'
import { gc } from './gc/host-procedure.ts'
import type { HostRequest } from './host-request.ts'
import type { AnyHostProcedure, Decision, FactSources } from './procedure.ts'
import { restore } from './restore/host-procedure.ts'
import { tune } from './tune/host-procedure.ts'
import { walExpire } from './wal-expire/host-procedure.ts'
import { walArchive } from './wal-archive/host-procedure.ts'

export const procedures: readonly AnyHostProcedure[] = [
  ...[activate, tune, gc, backup, backupVerify, backupExpire, backupCopy, backupDrill, restore],
  ...[walArchive, walExpire, databaseRestore],
]

/** @throws NetopsError `refused` for a name that this netops does not know */
export function procedureNamed(name: string): AnyHostProcedure {
  const found = procedures.find((procedure) => procedure.name === name)
  if (found !== undefined) return found
  throw new NetopsError('refused', {
    message: `there is no procedure ${name} in this netops`,
    hint: `use the netops that asked for it; this one has ${procedures.map((one) => one.name).join(', ')}`,
  })
}

/**
 * A request from outside.
 * @throws NetopsError `refused` for a procedure that this netops does not know; ZodError where a field does not fit
 */
export function parseRequest(value: unknown): HostRequest {
  const named = typeof value === 'object' && value !== null && 'procedure' in value ? String(value.procedure) : ''
  return procedureNamed(named).parse(value)
}

/**
 * Reads a host's facts and decides what its run consists of; the same over SSH for a dry run and on the host itself.
 * @throws NetopsError `refused` when the facts show that it cannot work; nothing was touched then
 */
export async function decide(request: HostRequest, sources: FactSources): Promise<Decision> {
  const decision = await procedureNamed(request.procedure).decide(request, sources)
  const folders = stepsOf(decision.plan).flatMap(({ act, undo }) => [...act, ...undo].flatMap(foldersIn))
  const { reader } = sources
  await refuseDistrusted((argv) => reader.query(argv), [...new Set([...ownFolders(request), ...folders])], reader.name)
  return decision
}

const foldersIn = (effect: Effect): readonly string[] => (isHostEffect(effect) ? foldersOf(effect) : [])

/** Where netops itself reads, writes and is started from in any run. */
function ownFolders({ root, netops }: HostRequest): readonly string[] {
  const { runs, open, incoming, releases } = hostPaths(root)
  return [root, dirname(netops), incoming, releases, runs, open]
}
