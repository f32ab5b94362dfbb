// The effects on a service: the commands of whatever manages it on the host.
import type { ServiceEffect } from '../../model/effects.ts'
import type { EffectHandlers } from '../effects/port.ts'

export const serviceEffects: EffectHandlers<ServiceEffect> = {
  service: { commands: (effect, services) => services.commandsOf(effect), changes: true },
}
