// The registry of effects: what each port registered, and the ways to show and to apply any of them.
import type { EffectHandler, EffectHandlers, EffectSite } from '../drivers/effects/port.ts'
import { applyCommands } from '../drivers/hosts/apply.ts'
import { showCommand } from '../drivers/hosts/commands.ts'
import { hostEffects } from '../drivers/hosts/effects.ts'
import { serviceEffects } from '../drivers/services/effects.ts'
import type { ServiceManager } from '../drivers/services/port.ts'
import type { Effect } from '../model/effects.ts'
import { runEffects, type RunEffectsOutside } from './run-effects.ts'
import { workEffects, type WorkOutside } from './work-effects.ts'

/** All handlers of one run. */
export const effectsOf = (outside: RunEffectsOutside & WorkOutside): EffectHandlers<Effect> => ({
  ...hostEffects,
  ...serviceEffects,
  ...runEffects(outside),
  ...workEffects(outside),
})

/** Applies any effect; returns whether the host was changed by it. */
export async function applyEffect(
  handlers: EffectHandlers<Effect>,
  effect: Effect,
  site: EffectSite,
): Promise<boolean> {
  const handler = handlerOf(handlers, effect)
  if ('apply' in handler) return handler.apply(effect, site)
  await applyCommands(await site.connection(), handler.commands(effect, site.services))
  return handler.changes
}

// A dry run shows and never applies: what runs would need for that is not there.
const shown = effectsOf({ leases: undefined, control: undefined, items: undefined, env: {} })

/** The exact commands of an effect, one a line. */
export function showEffect(effect: Effect, services: ServiceManager): readonly string[] {
  const handler = handlerOf(shown, effect)
  return 'show' in handler ? handler.show(effect, services) : handler.commands(effect, services).map(showCommand)
}

/** The handler under an effect's own kind takes that effect: the type of the table says so, kind by kind. */
const handlerOf = (handlers: EffectHandlers<Effect>, { kind }: Effect): EffectHandler<Effect> =>
  handlers[kind] as EffectHandler<Effect>
