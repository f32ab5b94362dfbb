// The world behind the engine: effects and probes by the drivers of each host. Only here do drivers meet.
import { setTimeout as sleep } from 'node:timers/promises'
import { applyCommands } from '../drivers/hosts/apply.ts'
import { commandsOf, provideCommands, showCommand } from '../drivers/hosts/commands.ts'
import { pushFile } from '../drivers/hosts/push.ts'
import { quoteCommand } from '../drivers/hosts/quote.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import type { Control } from '../engine/halt.ts'
import type { World } from '../engine/world.ts'
import { NetopsError } from '../model/errors.ts'
import type { Effect } from '../model/effects.ts'
import { exec } from '../system/exec.ts'
import { callCommand, followCommand, followJob } from './remote-netops.ts'
import { readSource } from './file-sources.ts'
import { Holds } from './fleet-leases.ts'
import { askProbe, type Member } from './probes.ts'

export interface Outside {
  /** The hosts of the run by name. */
  readonly members: ReadonlyMap<string, Member>
  readonly control: Control
  /** Throws when this process may not touch its host any more. */
  readonly guard?: () => void
  /** Where the variables of placed files are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the operator hears of what no record says. */
  readonly tell: (line: string) => void
}

export interface LiveWorld extends World {
  /** Ends what goes on beside the run: the heartbeats of its hosts. */
  close(): void
}

// What only looks, or lies beside what serves, is no change of the host.
const unchanging = new Set<Effect['kind']>(['check', 'push', 'provide', 'directory'])
const hookTimeoutMs = 600_000

export function worldOf({ members, control, guard, env, tell }: Outside): LiveWorld {
  const holds = new Holds()
  const member = (host: string): Member => {
    const found = members.get(host)
    if (found === undefined) throw new NetopsError('usage', { message: `${host} is not a host of this run` })
    return found
  }
  return {
    async apply(host, effect, relay) {
      const { connection, services } = member(host)
      guard?.()
      if (effect.kind !== 'lease') await holds.assure(host)
      switch (effect.kind) {
        case 'job':
        case 'undo-job':
          return followJob(connection, effect, relay, control)
        case 'lease': {
          if (effect.action === 'give-back') await holds.giveBack(connection, effect)
          else {
            const takenFrom = await holds.take(connection, effect)
            if (takenFrom !== undefined) tell(`${host}: ${takenFrom}`)
          }
          return false
        }
        case 'service':
          await applyCommands(connection, services.commandsOf(effect))
          return true
        case 'provide': {
          const content = await readSource(effect.source, { cwd: effect.cwd, env })
          await applyCommands(connection, provideCommands(effect, content))
          return false
        }
        case 'push':
          relay.pushed(await pushFile(connection, effect, (line) => tell(`${host}: ${line}`)))
          return false
        default:
          await applyCommands(connection, commandsOf(effect))
          return !unchanging.has(effect.kind)
      }
    },
    probe: (host, probe) => askProbe(member(host), probe),
    async hook(argv, document) {
      const { code, stderr, stdout } = await exec(argv, { stdin: { text: document }, timeoutMs: hookTimeoutMs })
      if (code === 0) return
      const said = (stderr.trim() || stdout.trim()).split('\n').slice(-5).join('\n')
      throw new NetopsError('failed', { message: `it exited with ${code}${said === '' ? '' : `: ${said}`}` })
    },
    now: () => performance.now(),
    async sleep(ms, signal) {
      // Whoever waits looks at the signal afterwards.
      await sleep(ms, undefined, { signal }).catch(() => undefined)
    },
    close: () => holds.close(),
  }
}

/** The exact commands of an effect, one a line. */
export function showEffect(effect: Effect, services: ServiceManager): readonly string[] {
  switch (effect.kind) {
    case 'service':
      return services.commandsOf(effect).map(showCommand)
    case 'job':
      return [`${quoteCommand(callCommand(effect).argv)} < (the order)`, quoteCommand(followCommand(effect, 1))]
    case 'undo-job':
      return [quoteCommand(callCommand(effect).argv), quoteCommand(followCommand(effect, 1))]
    case 'lease':
      return [showCommand(callCommand(effect))]
    default:
      return commandsOf(effect).map(showCommand)
  }
}
