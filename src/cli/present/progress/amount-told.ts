// How far a command is that is no run: a line on standard error now and then.
import type { CommandContext } from '../../command.ts'
import { progressText } from './amount.ts'

const everyMs = 2000

/** Tells how many bytes were brought, once it takes longer than that. */
export function amountTold({ progress, json }: Pick<CommandContext, 'progress' | 'json'>) {
  const begun = Date.now()
  let told = begun
  return (done: number, of: number): void => {
    const now = Date.now()
    if (json || now - told < everyMs) return
    told = now
    progress(progressText({ title: 'Fetch', begun }, { at: new Date(now).toISOString(), done, of, unit: 'bytes' }))
  }
}
