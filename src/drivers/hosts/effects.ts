// The effects on a host's files, accounts and kernel.
import type { HostEffect } from '../../model/effects.ts'
import type { AppliedEffect, EffectHandlers } from '../effects/port.ts'
import { applyEffect } from './apply.ts'
import { commandsOf, provideCommands, showCommand } from './commands.ts'
import { guardFolders } from './guard.ts'
import { pushFile } from './push.ts'

const show = (effect: HostEffect): readonly string[] => commandsOf(effect).map(showCommand)

const byCommands = (changes: boolean): AppliedEffect<HostEffect> => ({
  show,
  async apply(effect, { connection }) {
    const there = await connection()
    await guardFolders(there, effect)
    await applyEffect(there, effect)
    return changes
  },
})

const changing = byCommands(true)
// What only looks, or lies beside what serves, is no change of the host.
const unchanging = byCommands(false)

export const hostEffects: EffectHandlers<HostEffect> = {
  directory: unchanging,
  write: changing,
  copy: changing,
  duplicate: changing,
  push: {
    show,
    async apply(effect, { connection, host, report, progress }) {
      const there = await connection()
      await guardFolders(there, effect)
      report.pushed(await pushFile(there, effect, (line) => progress(`${host}: ${line}`)))
      return false
    },
  },
  provide: {
    show,
    async apply(effect, { connection, sources }) {
      const there = await connection()
      await guardFolders(there, effect)
      const content = await sources.read(effect.source, effect.cwd)
      await applyEffect(there, effect, provideCommands(effect, content))
      return false
    },
  },
  link: changing,
  remove: changing,
  'remove-tree': changing,
  'remove-empty': changing,
  account: changing,
  sysctl: changing,
  check: unchanging,
}
