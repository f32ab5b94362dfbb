// The work of a drill: restores the chosen backup into a folder of its own, measures, and notes in the catalogue that it could be
// restored.
import * as z from 'zod'
import { updateBackup } from '../../backups/catalogue.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { hostPaths } from '../../model/paths.ts'
import { quoteCommand } from '../../model/quote.ts'
import { chooseHere } from '../restore/look.ts'
import { defineWork } from '../work.ts'
import { clearDrills, drill, type Drilled } from './drill.ts'
import { drillObjectives, type DrillObjectives, type DrillResult } from './request.ts'

const input = z.strictObject({
  root: z.string(),
  which: z.string(),
  server: z.string(),
  scratch: z.string(),
  objectives: drillObjectives,
  healthyDeadlineMs: z.number(),
})

export const drillWork = defineWork({
  name: 'backup-drill',
  input,
  // Nothing that is in service is.
  changes: false,
  show: ({ which, server, scratch }) => [
    `# ${which}: verified, unpacked into ${scratch}/netops-drill-XXXXXX, compared; then, on ports of its own:`,
    quoteCommand([server, 'restore', 'latest', '--root', `${scratch}/netops-drill-XXXXXX/root`]),
    quoteCommand([server, '--root', `${scratch}/netops-drill-XXXXXX/root`]),
    `rm -rf ${scratch}/netops-drill-XXXXXX`,
  ],
  async run({ root, which, server, scratch, objectives, healthyDeadlineMs }, { signal, progress }) {
    const { id, folder } = await chooseHere({ root, which, from: undefined })
    await clearDrills(scratch)
    const drilled = await drill(
      { place: { folder, name: id }, server, scratch, healthyDeadlineMs },
      { signal, onProgress: (seen) => (seen.phase === 'reading' ? progress(seen.bytes, seen.of, 'bytes') : undefined) },
    )
    const now = new Date()
    const verified = { at: now.toISOString(), how: 'restorable', share: 1 } as const
    await updateBackup(hostPaths(root).catalogue, id, (entry) => ({ ...entry, verified, damage: null }))
    return judgeDrill(id, drilled, objectives, now.getTime())
  },
})

/** What a drill measured, beside the objectives. @param now in ms since 1970 */
export function judgeDrill(
  backup: string,
  { seconds, madeAt, stateAt, compared, records, notes }: Drilled,
  { rtoMs, configMs, stateMs }: DrillObjectives,
  now: number,
): DrillResult {
  const measure = (found: number, objectiveMs: number) => ({
    seconds: Math.max(0, Math.round(found * 1000) / 1000),
    objective: objectiveMs / 1000,
    met: found * 1000 <= objectiveMs,
  })
  const ageOf = (at: string): number => (now - Date.parse(at)) / 1000
  const rto = measure(seconds, rtoMs)
  const configuration = measure(ageOf(madeAt), configMs)
  const state = stateAt === null ? null : measure(ageOf(stateAt), stateMs)
  return {
    ...{ backup, met: rto.met && configuration.met && state?.met !== false, rto, rpo: { configuration, state } },
    ...{ compared, records: records === null ? null : { ...records }, notes: [...notes] },
  }
}

export const drilling = (given: z.infer<typeof input>): WorkEffect => ({
  kind: 'work',
  work: drillWork.name,
  input: given,
})
