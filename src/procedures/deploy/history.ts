// What was in service on a host: its records in the host's own order, and those that cannot be read.
import { join } from 'node:path'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { NetopsError } from '../../model/errors.ts'
import { failureOf, type Failure } from '../../model/failure.ts'
import type { HostPaths } from '../../model/paths.ts'
import { parseState, putAside, readStateBy } from '../../model/state-text.ts'
import { activationRecord, type ActivationRecord } from './request.ts'

export interface History {
  /** Oldest first; the last is what is in service, unless its record is one of those that cannot be read. */
  readonly activations: readonly ActivationRecord[]
  /** Why a record cannot be read, one for each that cannot. */
  readonly unread: readonly Failure[]
}

/** Reads all records of a host; one that is damaged keeps nobody from the others. */
export async function readHistory(reader: HostReader, paths: Pick<HostPaths, 'history'>): Promise<History> {
  const ids = await reader.list(paths.history)
  const found = await Promise.all(ids.map((id) => readRecord(reader, join(paths.history, id))))
  return {
    activations: inOrder(found.flatMap((one) => one?.record ?? [])),
    unread: found.flatMap((one) => one?.unread ?? []),
  }
}

interface FoundRecord {
  readonly record?: ActivationRecord
  readonly unread?: Failure
}

/** Undefined where a crash left a folder without its record. */
async function readRecord(reader: HostReader, folder: string): Promise<FoundRecord | undefined> {
  const path = join(folder, 'activation.json')
  try {
    const source = { path, host: reader.name, hint: putAside(folder) }
    const text = await readStateBy(source, (file) => reader.readText(file))
    return text === undefined ? undefined : { record: parseState(activationRecord, text, source) }
  } catch (error) {
    if (!(error instanceof NetopsError) || error.code === 'unreachable' || error.code === 'interrupted') throw error
    return { unread: failureOf(error) }
  }
}

/**
 * By the host's own count, whatever clocks the operators had whose runs these were. Records of old have no number: they came
 * before, in the order of their names.
 */
export const inOrder = (records: readonly ActivationRecord[]): readonly ActivationRecord[] =>
  records.toSorted((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0) || (a.id < b.id ? -1 : 1))

/** A number for the next record that is larger than those of all before, also of those that cannot be read. */
export const nextSequence = ({ activations, unread }: History): number =>
  activations.reduce((highest, { sequence = 0 }) => Math.max(highest, sequence), activations.length) + unread.length + 1

/** What is in place on a host, by which the record of what is in service is known. */
export interface InPlace {
  /** The release that `current` points to. */
  readonly current: string | undefined
  readonly configSha256: string | undefined
}

/** What is thrown where only that record could say what is in service. */
export const recordLost = ({ message, hint, host }: Failure): NetopsError =>
  new NetopsError('damaged', {
    host,
    message: `what is in service cannot be told: ${message}`,
    hint: `have it recorded anew: netops deploy; then ${hint ?? 'put the damaged record aside'}`,
  })

/**
 * The record of what is in service; undefined where there is none, or where it may be one that cannot be read: the newest
 * that can be is of another release or configuration than what is in place.
 */
export function inService(
  { activations, unread }: History,
  { current, configSha256 }: InPlace,
): ActivationRecord | undefined {
  const last = activations.at(-1)
  if (unread.length === 0) return last
  return last?.release.id === current && last?.configSha256 === configSha256 ? last : undefined
}
