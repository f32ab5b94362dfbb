// The effects on a host's files, accounts and kernel.
import { readSource } from '../../config/file-sources.ts'
import type { HostEffect } from '../../model/effects.ts'
import type { CommandEffect, EffectHandlers } from '../effects/port.ts'
import { applyCommands } from './apply.ts'
import { commandsOf, provideCommands, showCommand } from './commands.ts'
import { pushFile } from './push.ts'

const changing: CommandEffect<HostEffect> = { commands: commandsOf, changes: true }
// What only looks, or lies beside what serves, is no change of the host.
const unchanging: CommandEffect<HostEffect> = { commands: commandsOf, changes: false }
const show = (effect: HostEffect): readonly string[] => commandsOf(effect).map(showCommand)

export const hostEffects: EffectHandlers<HostEffect> = {
  directory: unchanging,
  write: changing,
  copy: changing,
  push: {
    show,
    async apply(effect, { connection, host, report, progress }) {
      report.pushed(await pushFile(await connection(), effect, (line) => progress(`${host}: ${line}`)))
      return false
    },
  },
  provide: {
    show,
    async apply(effect, { connection, env }) {
      const content = await readSource(effect.source, { cwd: effect.cwd, env })
      await applyCommands(await connection(), provideCommands(effect, content))
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
