// What the engine acts through in earnest: effects by the registry, probes and hooks, on the hosts of one run.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Executor } from '../engine/executor.ts'
import type { ItemLog } from '../engine/item-log.ts'
import { NetopsError } from '../model/errors.ts'
import { operatorHost } from '../model/plan.ts'
import { exec } from '../system/exec.ts'
import { controlOf, type RunContext } from './context.ts'
import { applyEffect, effectsOf } from './effects.ts'
import { FleetLeases } from './fleet-leases.ts'
import type { RunHost } from './hosts.ts'
import { askHere, askProbe } from './probes.ts'
import { lastWords, withLastWords } from './last-words.ts'
import { itemFault } from './run-journal.ts'

type ExecutorContext = Pick<RunContext, 'env' | 'sources' | 'progress' | 'signal' | 'undoSignal'>

/** An executor, and the end of what goes on beside the run: the heartbeats of its leases. */
export interface LiveExecutor extends Executor {
  close(): void
}

/** What the process that carries out a host's own run has beside its host. */
export interface OwnRun {
  /** Throws when this process may not touch its host any more. */
  readonly guard?: () => void
  /** Opens the items of its work. */
  readonly items?: () => Promise<ItemLog>
}

const hookTimeoutMs = 600_000
// The end of what it says is told where it fails.
const mostOfHook = 8 * 1024

/**
 * @param hosts the hosts of the run by name
 * @param own what only a host's own run has
 */
export function executorOf(
  hosts: ReadonlyMap<string, RunHost>,
  context: ExecutorContext,
  { guard, items }: OwnRun = {},
): LiveExecutor {
  const { sources, progress } = context
  const leases = new FleetLeases()
  const effects = effectsOf({
    leases,
    control: controlOf(context),
    items,
    env: context.env,
    onItem: itemFault(context.env.NETOPS_FAULT ?? ''),
  })
  const hostNamed = (name: string): RunHost => {
    const found = hosts.get(name)
    if (found === undefined) throw new NetopsError('usage', { message: `${name} is not a host of this run` })
    return found
  }
  return {
    async apply(name, effect, report) {
      const host = hostNamed(name)
      guard?.()
      if (effect.kind !== 'lease') await leases.assure(name)
      const connection = () => host.connection()
      const site = { host: name, services: host.services, connection, sources, report, progress }
      if (effect.kind !== 'service' || effect.action !== 'start') return applyEffect(effects, effect, site)
      return applyEffect(effects, effect, site).catch(async (error: unknown) => {
        throw await withLastWords(error, host, effect.unit)
      })
    },
    // Time passes wherever it is asked for.
    probe: (name, probe, first) => (name === operatorHost ? askHere(probe) : askProbe(hostNamed(name), probe, first)),
    lastWords: (name, probe, { logFrom }) =>
      'unit' in probe && logFrom !== undefined ? lastWords(hostNamed(name), probe.unit, logFrom) : Promise.resolve([]),
    async hook(argv, document, folder) {
      const said = { stdout: '', stderr: '' }
      const { code } = await exec(argv, {
        ...(folder === undefined ? {} : { cwd: folder }),
        stdin: { text: document },
        timeoutMs: hookTimeoutMs,
        // One that begins after a stop tells of the end, and is not stopped by it.
        signal: context.signal.aborted ? undefined : context.signal,
        onOutput: (bytes, stream) => {
          said[stream] = `${said[stream]}${Buffer.from(bytes).toString('utf8')}`.slice(-mostOfHook)
        },
      })
      if (code === 0) return
      const output = (said.stderr.trim() || said.stdout.trim()).split('\n').slice(-5).join('\n')
      throw new NetopsError('failed', { message: `it exited with ${code}${output === '' ? '' : `: ${output}`}` })
    },
    now: () => performance.now(),
    async sleep(ms, signal) {
      // Whoever waits looks at the signal afterwards.
      await sleep(ms, undefined, { signal }).catch(() => undefined)
    },
    close: () => leases.close(),
  }
}
