// The effects by which a fleet run has a host do its share: host runs, their undo, and the fleet's leases.
import type { EffectHandlers } from '../drivers/effects/port.ts'
import { showCommand } from '../drivers/hosts/commands.ts'
import { quoteCommand } from '../model/quote.ts'
import { unstoppable, type Control } from '../engine/halt.ts'
import type { RunEffect } from '../model/effects.ts'
import type { FleetLeases } from './fleet-leases.ts'
import { followCommand, followHostRun } from './remote-host-run.ts'
import { remoteCommand } from './remote-netops.ts'

export interface RunEffectsOutside {
  /** The leases of the run; a run of one host has none. */
  readonly leases: FleetLeases | undefined
  readonly control: Control | undefined
}

export function runEffects({ leases, control = unstoppable }: RunEffectsOutside): EffectHandlers<RunEffect> {
  return {
    'host-run': {
      show: (effect) => [
        `${quoteCommand(remoteCommand(effect).argv)} < (the request)`,
        quoteCommand(followCommand(effect, 1)),
      ],
      apply: async (effect, { connection, report }) => followHostRun(await connection(), effect, report, control),
    },
    'undo-host-run': {
      show: (effect) => [quoteCommand(remoteCommand(effect).argv), quoteCommand(followCommand(effect, 1))],
      apply: async (effect, { connection, report }) => followHostRun(await connection(), effect, report, control),
    },
    lease: {
      show: (effect) => [showCommand(remoteCommand(effect))],
      async apply(effect, { connection, host, progress }) {
        if (leases === undefined) throw new TypeError('a run of one host takes no host for a fleet')
        const way = await connection()
        if (effect.action === 'give-back') await leases.giveBack(way, effect)
        else {
          const takenFrom = await leases.take(way, effect)
          if (takenFrom !== undefined) progress(`${host}: ${takenFrom}`)
        }
        return false
      },
    },
  }
}
