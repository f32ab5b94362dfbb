// How a step of an activation is made: one whose result is there already does nothing, forward and back.
import { puttingBack, type Effect, type ServiceEffect } from '../../model/effects.ts'
import { serviceName } from '../../model/paths.ts'
import type { Step } from '../../model/plan.ts'

interface Parts extends Partial<Pick<Step, 'undo' | 'until' | 'undoUntil' | 'commits'>> {
  readonly act: Effect[]
  readonly unchanged?: boolean
}

export type MakeStep = (id: string, title: string, parts: Parts) => Step

export const stepsOn =
  (host: string): MakeStep =>
  (id, title, { unchanged, act, undo = [], ...rest }) => ({
    kind: 'step',
    id,
    host,
    title,
    act: unchanged === true ? [] : act,
    undo: unchanged === true ? [] : puttingBack(undo),
    ...(unchanged === true ? { unchanged } : rest),
  })

export const service = (action: ServiceEffect['action'], unit = serviceName): ServiceEffect => ({
  kind: 'service',
  unit,
  action,
})
