// What hosts say of themselves, for people and scripts.
import type { HostAnswer } from '../../fleet/pool.ts'
import { shownText } from '../../model/escape.ts'
import type { Outcome } from '../../model/errors.ts'
import type { Failure } from '../../model/failure.ts'
import { quoteCommand } from '../../model/quote.ts'
import type { HostHealth, HostStatus } from '../../procedures/status/host-status.ts'
import { below, errorField } from './errors.ts'

export const statusDocument = ({ host, value, error }: HostAnswer<HostStatus>) => ({
  ...value,
  // Where netops looks for more is nobody's business.
  ...(value && { root: undefined, service: { ...value.service, logFrom: undefined } }),
  host,
  ...errorField(error),
})

export function statusText({ host, value, error }: HostAnswer<HostStatus>): string {
  if (value === undefined) return `${host}: ${below(error.message)}`
  const { service, health, unfinished, release, unlinked } = value
  const since = service.since === undefined ? '' : `, since ${shownText(service.since)}`
  const pid = service.mainPid === undefined ? '' : ` (pid ${service.mainPid}${since})`
  return [
    `${host}: ${shownText(release ?? unlinked ?? 'not deployed')}, service ${service.state}${pid}, ${shownText(health.status)}`,
    ...(service.state === 'running' && service.unsupervised === true ? unsupervisedLines(value.root) : []),
    ...(value.configDrift ? ['  the configuration in place is not the one that was deployed'] : []),
    ...(health.release !== undefined && health.release !== release
      ? [`  release ${shownText(health.release)} answers`]
      : []),
    ...unfinished.map((run) => shownText(`  unfinished run ${run.run} since ${run.since}, last: ${run.last}`)),
    ...damagedLines(value.damaged),
  ].join('\n')
}

const damagedLines = (damaged: readonly Failure[] = []): readonly string[] =>
  damaged.flatMap(({ message, hint }) => [
    `  ${below(message)}`,
    ...(hint === undefined ? [] : [`    hint: ${below(hint)}`]),
  ])

const unsupervisedLines = (root: string): readonly string[] => [
  '  unsupervised: its supervisor is gone, and nothing would restart the service',
  `  hint: start it again under a new one: ${quoteCommand(['netops', 'service', 'start', '--root', root])}`,
]

export const healthDocument = ({ host, value, error }: HostAnswer<HostHealth>) => ({
  host,
  ...value?.health,
  ...(value?.damaged === undefined ? {} : { damaged: value.damaged }),
  ...(value?.unsupervised === true ? { unsupervised: true } : {}),
  ...errorField(error),
})

export const healthOutcome = ({ value, error }: HostAnswer<HostHealth>): Outcome =>
  error?.code ?? (value?.health.healthy === true && value.health.ready && !value.unsupervised ? 'done' : 'unhealthy')

export function healthText({ host, value, error }: HostAnswer<HostHealth>): string {
  if (value === undefined) return `${host}: ${below(error.message)}`
  const { health, release } = value
  const checks = Object.entries(health.checks).map(([name, ok]) => `${shownText(name)} ${ok ? 'ok' : 'FAILED'}`)
  const found = checks.length === 0 ? '' : ` (${checks.join(', ')})`
  return [
    `${host}: ${shownText(health.status)}${health.ready ? '' : ', not ready'}, release ${shownText(health.release ?? release ?? 'none')}${found}`,
    ...(value.unsupervised ? unsupervisedLines(value.root) : []),
    ...damagedLines(value.damaged),
  ].join('\n')
}
