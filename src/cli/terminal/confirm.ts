// Destructive commands in production: whoever asks for one types the environment's name, so that the wrong window stays harmless.
import { NetopsError } from '../../model/errors.ts'
import { isProtected } from '../../model/inventory.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { CommandContext, OptionSpec } from '../command.ts'

export const confirmOption: OptionSpec = {
  flags: '--confirm <environment>',
  description: "in production: the environment's name, in place of being asked for it",
}

interface Destructive {
  /** What it takes away or puts back: `rolls back`. */
  readonly destroys: string
  readonly confirmed?: string | undefined
}

/** As {@link confirmDestructive}, for whoever asks only when all else is ready. */
export const confirmation =
  (what: Destructive, fleet: Pick<Fleet, 'environment' | 'targets'>, context: Pick<CommandContext, 'ask'>) =>
  (): Promise<void> =>
    confirmDestructive(what, fleet, context)

/**
 * Returns when it may go on: outside of production at once, there when the environment's name was given.
 * @throws NetopsError `refused` when it was not
 */
export async function confirmDestructive(
  { destroys, confirmed }: Destructive,
  { environment, targets }: Pick<Fleet, 'environment' | 'targets'>,
  context: Pick<CommandContext, 'ask'>,
): Promise<void> {
  if (environment === undefined || !isProtected(environment)) return
  const names = targets.map(({ name }) => name)
  const hosts = names.length <= 5 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`
  const what = `this ${destroys} ${hosts} in ${environment}`
  const given = confirmed ?? (await context.ask?.(`${what}. Type ${environment} to go on: `))
  if (given?.trim() === environment) return
  throw new NetopsError('refused', {
    message:
      given === undefined ? `${what}, and nobody is there to be asked` : `${what}: not confirmed, nothing was done`,
    hint: `--confirm ${environment} says that it is meant; --dry-run shows what it would do`,
  })
}

/**
 * Returns when it may go on: where `--yes` was given or whoever is asked types yes; in production also the environment's name.
 * @throws NetopsError `refused` when it was not
 */
export async function confirmReplacing(
  what: Destructive & { readonly yes: boolean },
  fleet: Pick<Fleet, 'environment' | 'targets'>,
  context: Pick<CommandContext, 'ask'>,
): Promise<void> {
  const { environment } = fleet
  if (environment !== undefined && isProtected(environment)) return confirmDestructive(what, fleet, context)
  if (what.yes) return
  const hosts = fleet.targets.map(({ name }) => name).join(', ')
  const given = await context.ask?.(`this ${what.destroys} ${hosts}. Type yes to go on: `)
  if (given?.trim() === 'yes') return
  throw new NetopsError('refused', {
    message:
      given === undefined
        ? `this ${what.destroys} ${hosts}, and nobody is there to be asked`
        : 'not confirmed, nothing was done',
    hint: '--yes says that it is meant; --dry-run shows what it would do',
  })
}
