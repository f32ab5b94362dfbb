// Work as an effect: it runs in this process, which is the host's own, and notes each item.
import type { EffectHandlers } from '../drivers/effects/port.ts'
import { Halted, unstoppable, type Control } from '../engine/halt.ts'
import type { ItemLog } from '../engine/item-log.ts'
import { NetopsError } from '../model/errors.ts'
import type { WorkEffect } from '../model/effects.ts'
import { workNamed } from '../procedures/works.ts'

export interface WorkOutside {
  /** Opens the items of the run; undefined where the run is not this host's own. */
  readonly items?: (() => Promise<ItemLog>) | undefined
  readonly control: Control | undefined
  /** Of the process, for SSH's agent. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Hears of each item that was done. */
  readonly onItem?: (() => void) | undefined
}

const progressEveryMs = 1000

export const workEffects = ({
  items,
  control = unstoppable,
  env,
  onItem,
}: WorkOutside): EffectHandlers<WorkEffect> => ({
  work: {
    show: (effect) => workNamed(effect.work).show(effect.input),
    async apply(effect, { host, report, sources, progress: tell }) {
      if (items === undefined) {
        throw new NetopsError('usage', {
          host,
          message: `${effect.work} is work of the host itself: it cannot be done from here`,
        })
      }
      const work = workNamed(effect.work)
      const log = await items()
      const { stop, undo } = report.undoing === true ? unstoppable : control
      const signal = AbortSignal.any([stop, undo])
      let toldAt = performance.now()
      try {
        const result = await work.run(effect.input, {
          signal,
          isDone: (key) => log.isDone(report.step, key),
          done: (key) => {
            log.add(report.step, key)
            onItem?.()
          },
          openPlace: async (wanted) => {
            const { openCopyPlace } = await import('./copy-places.ts')
            return openCopyPlace(wanted, { env, sources, progress: tell })
          },
          progress(done, of, unit) {
            if (performance.now() - toldAt < progressEveryMs) return
            toldAt = performance.now()
            report.progress(done, of, unit)
          },
        })
        await log.flush()
        // It ended early: a resume goes on after the last item.
        if (signal.aborted && !work.brief) throw new Halted()
        report.result(result)
        return work.changes
      } finally {
        await log.close()
      }
    },
  },
})
