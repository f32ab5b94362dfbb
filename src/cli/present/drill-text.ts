// What drills came to, for people and scripts: measured beside what is promised.
import * as z from 'zod'
import { joinOutcomes } from '../../model/errors.ts'
import { formatAge } from '../../backups/standing.ts'
import { drillResult, type DrillResult } from '../../procedures/drill/request.ts'
import type { CommandResult } from '../command.ts'

const hosts = z.array(z.looseObject({ host: z.string(), results: z.object({ drill: drillResult }).optional() }))

/** The result of a run of drills, with its figures; a host whose objectives were missed is unhealthy. */
export function drilledResult(result: CommandResult): CommandResult {
  const { data: found = [] } = hosts.safeParse(result.data.hosts)
  const drilled = found.flatMap(({ host, results }) => (results === undefined ? [] : [{ host, drill: results.drill }]))
  const missed = drilled.filter(({ drill }) => !drill.met)
  const outcome =
    missed.length === 0
      ? result.outcome
      : joinOutcomes([
          { outcome: result.outcome, changed: false },
          { outcome: 'unhealthy', changed: false },
        ])
  const lines = drilled.flatMap(({ host, drill }) => linesOf(host, drill))
  const isAll = result.outcome === 'done'
  return {
    outcome,
    data: { ...result.data, drills: drilled.map(({ host, drill }) => ({ host, ...drill })) },
    text: [...(isAll ? [] : [result.text]), ...lines].join('\n'),
  }
}

type Measured = DrillResult['rto']

const measuredLine = (name: string, { seconds, objective, met }: Measured): string =>
  `  ${name}: ${formatAge(seconds * 1000)}, ${met ? 'within' : 'MISSED:'} ${formatAge(objective * 1000)}`

function linesOf(host: string, { backup, rto, rpo, compared, records, notes, met }: DrillResult): readonly string[] {
  return [
    `${host}: ${backup} can be restored${met ? '' : ', but not as promised'}`,
    measuredLine('time to be ready (RTO)', rto),
    measuredLine('age of the configuration (RPO)', rpo.configuration),
    ...(rpo.state === null ? [] : [measuredLine('age of the state (RPO)', rpo.state)]),
    `  ${compared} entries compared${records === null ? '' : `, ${records.restored} of ${records.checkpoint} records there`}`,
    ...notes.map((note) => `  note: ${note}`),
  ]
}
