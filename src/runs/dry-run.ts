// A plan as a dry run shows it: each step with its exact commands. Pure.
import type { ServiceManager } from '../drivers/services/port.ts'
import { stepsOf, type Plan, type Step } from '../model/plan.ts'
import { showEffect } from './effects.ts'
import { showWait } from './probes.ts'

const shownStep = (step: Step, services: ServiceManager) => ({
  id: step.id,
  title: step.title,
  unchanged: step.unchanged === true,
  effects: step.act,
  undo: step.undo,
  commands: step.act.flatMap((effect) => showEffect(effect, services)),
  ...(step.until === undefined ? {} : { waits: showWait(step.until) }),
})
export type ShownStep = ReturnType<typeof shownStep>

export const shownPlan = (plan: Plan, services: ServiceManager): readonly ShownStep[] =>
  stepsOf(plan).map((step) => shownStep(step, services))
