// What an operator's netops asks the netops on a host for: jobs with their stream of records, leases, stopping.
import { userInfo, hostname } from 'node:os'
import * as z from 'zod'
import type { HostCommand, HostConnection } from '../drivers/hosts/port.ts'
import { unstoppable, type Control } from '../engine/halt.ts'
import type { Relay } from '../engine/world.ts'
import { errorCodes, NetopsError } from '../model/errors.ts'
import type { JobEffect, LeaseEffect, UndoJobEffect } from '../model/effects.ts'
import { parseOwnRecord, type EndRecord, type Failure } from '../model/journal.ts'
import { parseJson } from '../model/json.ts'

const failed = z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() })

const callTimeoutMs = 60_000

/**
 * Runs one of netops' own commands on a host and reads its document.
 * @param shape the fields of the document that are asked for
 * @throws NetopsError what the document says went wrong, or `failed` without a document
 */
export async function callNetops<Shape extends z.ZodRawShape>(
  connection: HostConnection,
  { argv, stdin }: HostCommand,
  shape: Shape,
): Promise<z.infer<z.ZodObject<Shape>>> {
  const host = connection.name
  const { stdout, stderr, code } = await connection.run([...argv, '--json'], { stdin, timeoutMs: callTimeoutMs })
  // Login banners may stand before the document.
  const document = parseJson(stdout.trim().split('\n').at(-1) ?? '')
  const refusal = z.object({ error: failed }).safeParse(document)
  if (refusal.success) {
    const { error } = refusal.data
    const resumable = error.code === 'locked' && argv.includes('renew')
    throw new NetopsError(error.code, { host, message: error.message, hint: error.hint, resumable })
  }
  const answer = z.object(shape).safeParse(document)
  if (answer.success) return answer.data
  const said = stderr.trim() || `it exited with ${code}`
  throw new NetopsError('failed', { host, message: `netops on the host did not answer: ${said}` })
}

type Call = JobEffect | UndoJobEffect | LeaseEffect

/** The command of an effect that netops on the host carries out; without the effect's document. */
export function callCommand(effect: Call): HostCommand {
  const { netops, run, root } = effect
  const place = [run, '--root', root]
  switch (effect.kind) {
    case 'job':
      return { argv: [netops, 'host', 'start', ...place], stdin: { text: JSON.stringify(effect.input) } }
    case 'undo-job':
      return { argv: [netops, 'host', 'undo', ...place] }
    case 'lease': {
      const holder = { run, reason: effect.reason, user: userInfo().username, host: hostname() }
      const stdin = effect.action === 'take' ? { stdin: { text: JSON.stringify(holder) } } : {}
      return { argv: [netops, 'host', 'lease', effect.action, ...place], ...stdin }
    }
  }
}

/** Takes a host, renews or gives it back; returns from whom it was taken over, if so. */
export async function callLease(
  connection: HostConnection,
  effect: LeaseEffect,
  action: LeaseEffect['action'] | 'renew',
): Promise<string | undefined> {
  const { argv, stdin } = callCommand(effect)
  const renewing = argv.map((word, index) => (index === 3 ? 'renew' : word))
  const command = action === 'renew' ? { argv: renewing } : { argv, stdin }
  return (await callNetops(connection, command, { ok: z.literal(true), takenFrom: z.string().optional() })).takenFrom
}

export const followCommand = ({ netops, run, root }: JobEffect | UndoJobEffect, from: number): string[] => [
  ...[netops, 'runs', 'follow', run, '--jsonl', '--root', root],
  ...['--from', String(from)],
]

/**
 * Starts a host's part or its undo, or attaches to it, and passes its journal on until it ends. When the operator stops the
 * run, the host is told to stop or to go back, and is followed until it has.
 * @returns whether the host was changed
 * @throws NetopsError what the host's part ended with; `interrupted` when it was stopped on its way
 */
export async function followJob(
  connection: HostConnection,
  job: JobEffect | UndoJobEffect,
  relay: Relay,
  control: Control,
): Promise<boolean> {
  const host = connection.name
  const { last } = relay
  // It had ended, and the operator's netops died before it could write that down.
  if (last?.type === 'end' && (job.kind === 'job' || last.undone === true)) return outcomeOf(last, host)
  await callNetops(connection, callCommand(job), { ok: z.literal(true) })
  const { netops, run, root } = job
  let told: Promise<unknown> = Promise.resolve()
  const tell = (...words: string[]) => {
    const argv = [netops, 'host', 'stop', run, '--root', root, ...words]
    // In the order in which the operator said it. A host that does not hear it goes on, and whoever follows sees how.
    told = told.then(() => callNetops(connection, { argv }, {})).catch(() => undefined)
  }
  const listeners = [
    { signal: control.stop, listener: () => tell() },
    { signal: control.undo, listener: () => tell('--undo') },
  ]
  for (const { signal, listener } of listeners) {
    if (signal.aborted) listener()
    else signal.addEventListener('abort', listener, { once: true })
  }
  let end: EndRecord | undefined
  let parked: Failure | undefined
  let seen = last
  const onLine = (line: string): void => {
    // Whatever stands before the first record is a login banner.
    if (!line.startsWith('{"netops":1,')) return
    const record = parseOwnRecord(line)
    relay.pass(record)
    seen = record
    if (record.type === 'end') end = record
    if (record.type === 'parked') parked = record.error
  }
  try {
    const followed = await connection.run(followCommand(job, (last?.seq ?? 0) + 1), { onLine })
    if (end !== undefined) return outcomeOf(end, host)
    // It had stopped already when the operator decided to go back.
    if (parked !== undefined && job.kind === 'job' && control.undo.aborted) {
      // What was meant for the part that stopped must not reach the one that takes it back.
      await told
      await followJob(connection, { kind: 'undo-job', netops, run, root }, { ...relay, last: seen }, unstoppable)
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
    step: error?.step === undefined ? undefined : `${host}/${error.step}`,
  })
}
