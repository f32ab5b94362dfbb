// Has a host carry out a run, or take it back: starts it there, passes its records on, and stops it when the operator does.
import type { StepReport } from '../drivers/effects/port.ts'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { unstoppable, type Control } from '../engine/halt.ts'
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import type { HostRunEffect, UndoHostRunEffect } from '../model/effects.ts'
import { isLasting, type EndRecord, type Failure } from '../model/journal.ts'
import { longestRecord, RelayedRecords } from './relayed-records.ts'
import { callNetops, remoteCommand } from './remote-netops.ts'

export const followCommand = ({ netops, run, root }: HostRunEffect | UndoHostRunEffect, from: number): string[] => [
  ...[netops, 'runs', 'follow', run, '--jsonl', '--root', root],
  ...['--from', String(from)],
]

/**
 * Starts a host's part or its undo, or attaches to it, and passes its journal on until it ends. When the operator stops the
 * run, the host is told to stop or to go back, and is followed until it has.
 * @returns whether the host was changed
 * @throws NetopsError what the host's part ended with; `interrupted` when it was stopped on its way
 */
export async function followHostRun(
  connection: HostConnection,
  effect: HostRunEffect | UndoHostRunEffect,
  report: StepReport,
  control: Control,
): Promise<boolean> {
  const host = connection.name
  const { last } = report
  // It had ended, and the operator's netops died before it could write that down.
  if (last?.type === 'end' && (effect.kind === 'host-run' || last.undone === true)) return outcomeOf(last, host)
  await callNetops(connection, remoteCommand(effect), { ok: z.literal(true) })
  const { netops, run, root } = effect
  let sent: Promise<unknown> = Promise.resolve()
  const stopThere = (...words: string[]) => {
    const argv = [netops, 'host', 'stop', run, '--root', root, ...words]
    // In the order in which the operator said it. A host that does not hear it goes on, and whoever follows sees how.
    sent = sent.then(() => callNetops(connection, { argv }, {})).catch(() => undefined)
  }
  const listeners = [
    { signal: control.stop, listener: () => stopThere() },
    { signal: control.undo, listener: () => stopThere('--undo') },
  ]
  for (const { signal, listener } of listeners) {
    if (signal.aborted) listener()
    else signal.addEventListener('abort', listener, { once: true })
  }
  let end: EndRecord | undefined
  let parked: Failure | undefined
  let seen = last
  const from = (last?.seq ?? 0) + 1
  const relayed = new RelayedRecords({ host, run, from })
  const onLine = (line: string): void => {
    const record = relayed.read(line)
    if (record === undefined) return
    report.pass(record)
    if (isLasting(record)) seen = record
    if (record.type === 'end') end = record
    if (record.type === 'parked') parked = record.error
  }
  try {
    const followed = await connection.run(followCommand(effect, from), { onLine, longestLine: longestRecord })
    if (end !== undefined) return outcomeOf(end, host)
    // It had stopped already when the operator decided to go back.
    if (parked !== undefined && effect.kind === 'host-run' && control.undo.aborted) {
      // What was meant for the part that stopped must not reach the one that takes it back.
      await sent
      await followHostRun(
        connection,
        { kind: 'undo-host-run', netops, run, root },
        { ...report, last: seen },
        unstoppable,
      )
      throw new NetopsError('interrupted', {
        host,
        resumable: false,
        message: 'stopped by the operator, and taken back',
      })
    }
    throw new NetopsError(parked === undefined ? 'partly' : parked.code === 'done' ? 'failed' : parked.code, {
      host,
      resumable: true,
      message:
        parked?.message ?? `the host's part stopped before its end: ${followed.stderr.trim() || 'its process is gone'}`,
    })
  } finally {
    for (const { signal, listener } of listeners) signal.removeEventListener('abort', listener)
  }
}

function outcomeOf({ outcome, changed, error }: EndRecord, host: string): boolean {
  if (outcome === 'done') return changed
  throw new NetopsError(outcome, {
    host,
    // A part that was stopped and taken back has ended: there is nothing to resume.
    resumable: false,
    message: error?.message ?? 'the host gave no reason',
    hint: error?.hint,
    log: error?.log,
    step: error?.step === undefined ? undefined : `${host}/${error.step}`,
  })
}
