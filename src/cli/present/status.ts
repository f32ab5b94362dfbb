// What people and scripts see of what hosts say of themselves.
import type { HostAnswer } from '../../fleet/pool.ts'
import { joinOutcomes, type Outcome } from '../../model/errors.ts'
import type { HostStatus } from '../../procedures/status/host-status.ts'
import type { CommandResult } from '../command.ts'
import { hostError } from './errors.ts'

type Answers = readonly HostAnswer<HostStatus>[]

export const statusResult = (hosts: Answers): CommandResult => ({
  outcome: joinOutcomes(hosts.map(({ error }) => ({ outcome: error?.code ?? 'done', changed: false }))),
  data: { hosts: hosts.map(({ host, value, error }) => ({ ...value, host, ...hostError(error) })) },
  text: hosts.map(statusText).join('\n'),
})

function statusText({ host, value: status, error }: HostAnswer<HostStatus>): string {
  if (error !== undefined) return `${host}: ${error.message}`
  const { service, health, unfinished } = status
  const pid =
    service.mainPid === undefined
      ? ''
      : ` (pid ${service.mainPid}${service.since === undefined ? '' : `, since ${service.since}`})`
  return [
    `${host}: ${status.release ?? 'not deployed'}, service ${service.state}${pid}, ${health.status}`,
    ...(status.configDrift ? ['  the configuration in place is not the one that was deployed'] : []),
    ...(health.release !== undefined && health.release !== status.release
      ? [`  release ${health.release} answers`]
      : []),
    ...unfinished.map((run) => `  unfinished run ${run.run} since ${run.since}, last: ${run.last}`),
  ].join('\n')
}

/** It fails where a service is not healthy. */
export const healthResult = (hosts: Answers): CommandResult => ({
  outcome: joinOutcomes(hosts.map((host) => ({ outcome: outcomeOf(host), changed: false }))),
  data: { hosts: hosts.map(({ host, value, error }) => ({ host, ...value?.health, ...hostError(error) })) },
  text: hosts.map(healthText).join('\n'),
})

const outcomeOf = ({ value, error }: HostAnswer<HostStatus>): Outcome =>
  error?.code ?? (value?.health.healthy === true && value.health.ready ? 'done' : 'unhealthy')

function healthText({ host, value, error }: HostAnswer<HostStatus>): string {
  if (error !== undefined) return `${host}: ${error.message}`
  const { health, release } = value
  const checks = Object.entries(health.checks).map(([name, ok]) => `${name} ${ok ? 'ok' : 'FAILED'}`)
  return `${host}: ${health.status}${health.ready ? '' : ', not ready'}, release ${health.release ?? release ?? 'none'}${
    checks.length === 0 ? '' : ` (${checks.join(', ')})`
  }`
}
