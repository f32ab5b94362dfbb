// The world behind the engine: effects and probes by the drivers of each host. Only here do drivers meet.
import { setTimeout as sleep } from 'node:timers/promises'
import { applyCommands } from '../drivers/hosts/apply.ts'
import { commandsOf, showCommand } from '../drivers/hosts/commands.ts'
import { quoteCommand } from '../drivers/hosts/quote.ts'
import type { HostCommand, HostConnection } from '../drivers/hosts/port.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import type { Relay, World } from '../engine/run.ts'
import { NetopsError } from '../model/errors.ts'
import type { Effect, JobEffect, LeaseEffect, UndoJobEffect } from '../model/effects.ts'
import { parseOwnRecord, type EndRecord } from '../model/journal.ts'
import { askProbe, type Member } from './probes.ts'

export function worldOf(members: ReadonlyMap<string, Member>, signal?: AbortSignal): World {
  const member = (host: string): Member => {
    const found = members.get(host)
    if (found === undefined) throw new NetopsError('usage', { message: `${host} is not a host of this run` })
    return found
  }
  return {
    async apply(host, effect, relay) {
      const { connection, services } = member(host)
      if (signal?.aborted === true) throw new NetopsError('interrupted', { host, message: 'interrupted' })
      switch (effect.kind) {
        case 'job':
          return followJob(connection, effect, relay, signal)
        case 'undo-job':
        case 'lease':
          await applyCommands(connection, commandsOfCall(effect))
          return false
        case 'service':
          await applyCommands(connection, services.commandsOf(effect))
          return true
        default:
          await applyCommands(connection, commandsOf(effect))
          // What only looks, or lies beside what serves, is no change of the service.
          return effect.kind !== 'check' && effect.kind !== 'push' && effect.kind !== 'directory'
      }
    },
    probe: (host, probe) => askProbe(member(host), probe),
    now: () => performance.now(),
    sleep: (ms) => sleep(ms),
  }
}

/** The exact commands of an effect, one a line. */
export function showEffect(effect: Effect, services: ServiceManager): readonly string[] {
  if (effect.kind === 'service') return services.commandsOf(effect).map(showCommand)
  if (effect.kind === 'lease' || effect.kind === 'undo-job') return commandsOfCall(effect).map(showCommand)
  if (effect.kind !== 'job') return commandsOf(effect).map(showCommand)
  return [`${quoteCommand(startJob(effect))} < (the order)`, quoteCommand(followCommand(effect, 1))]
}

/** What the netops on a host is asked for. */
function commandsOfCall(effect: LeaseEffect | UndoJobEffect): readonly HostCommand[] {
  const { netops, run, root } = effect
  if (effect.kind === 'undo-job') return [{ argv: [netops, 'host', 'undo', run, '--root', root] }]
  return [{ argv: [netops, 'host', 'lease', effect.action, run, '--root', root], stdin: { text: effect.reason } }]
}

const startJob = (job: JobEffect): string[] => [job.netops, 'host', 'start', job.run, '--root', job.root]
const followCommand = (job: JobEffect, from: number): string[] => [
  ...[job.netops, 'runs', 'follow', job.run, '--jsonl', '--root', job.root],
  ...['--from', String(from)],
]

/** Starts a host's part, or attaches to it, and passes its journal on until it ends. */
async function followJob(
  connection: HostConnection,
  job: JobEffect,
  relay: Relay,
  signal?: AbortSignal,
): Promise<boolean> {
  const host = connection.name
  const started = await connection.run(startJob(job), { stdin: { text: JSON.stringify(job.input) }, timeoutMs: 60_000 })
  if (started.code !== 0) {
    throw new NetopsError('failed', { host, message: `the host did not start its part: ${started.stderr.trim()}` })
  }
  let end: EndRecord | undefined
  const onLine = (line: string): void => {
    // Whatever stands before the first record is a login banner.
    if (!line.startsWith('{"netops":1,')) return
    const record = parseOwnRecord(line)
    relay.pass(record)
    if (record.type === 'end') end = record
  }
  const followed = await connection.run(followCommand(job, relay.seen + 1), { onLine, signal })
  if (end === undefined) {
    throw new NetopsError('partly', {
      host,
      resumable: true,
      message: `the host's part stopped before its end: ${followed.stderr.trim() || 'its process is gone'}`,
    })
  }
  if (end.outcome === 'done') return end.changed
  const { error } = end
  throw new NetopsError(end.outcome, {
    host,
    message: error?.message ?? 'the host gave no reason',
    hint: error?.hint,
    step: error?.step === undefined ? undefined : `${host}/${error.step}`,
  })
}
