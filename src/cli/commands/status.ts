// netops status and netops health: what each host says of itself.
import * as z from 'zod'
import { joinOutcomes, type HostOutcome, type NetopsError, type Outcome } from '../../model/errors.ts'
import type { HostStatus } from '../../procedures/status/host-status.ts'
import { defineCommand, type CommandContext, type RawOptions } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

interface Asked {
  readonly host: string
  readonly status: HostStatus | undefined
  readonly error: NetopsError | undefined
}

const answer = z.object({ status: z.number(), headers: z.record(z.string(), z.string()), body: z.string() })

/** Asks every host at once; a host that cannot be reached is an answer too. */
async function askAll(options: RawOptions, context: CommandContext): Promise<readonly Asked[]> {
  const { readFleet } = await import('../../fleet/fleet.ts')
  const { servicesFor } = await import('../../drivers/services/choose.ts')
  const { readHostStatus } = await import('../../procedures/status/host-status.ts')
  const { readerOf } = await import('../../drivers/hosts/readers.ts')
  const { hostPaths } = await import('../../model/paths.ts')
  const { locate } = await import('../../model/errors.ts')
  const fleet = await readFleet(parseOptions(fleetSchema, options), context)
  return Promise.all(
    fleet.targets.map(async (to): Promise<Asked> => {
      try {
        const connection = await context.connections.connect(to)
        try {
          const reader = readerOf(connection)
          const netops = hostPaths(to.root).netopsLink
          const status = await readHostStatus({
            reader,
            services: servicesFor(to.root, netops),
            root: to.root,
            get: async (url) => {
              const got = await reader.query([netops, 'host', 'get', url])
              return got.code === 0 ? answer.parse(JSON.parse(got.stdout)) : undefined
            },
          })
          return { host: to.name, status, error: undefined }
        } finally {
          await connection.close()
        }
      } catch (thrown) {
        return { host: to.name, status: undefined, error: locate(thrown, { host: to.name }) }
      }
    }),
  )
}

const failureOf = ({ error }: Asked) => error && { code: error.code, message: error.message, hint: error.hint }

export const status = defineCommand({
  name: 'status',
  summary: 'Show what is in service on each host, and whether a run is under way or was cut off',
  examples: ['netops status', 'netops status --hosts web1 --json', 'netops status --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const asked = await askAll(options, context)
    const outcomes = asked.map(({ error }): HostOutcome => ({ outcome: error?.code ?? 'done', changed: false }))
    return {
      outcome: joinOutcomes(outcomes),
      data: { hosts: asked.map((entry) => ({ ...entry.status, host: entry.host, error: failureOf(entry) })) },
      text: asked.map(describeStatus).join('\n'),
    }
  },
})

function describeStatus({ host, status, error }: Asked): string {
  if (error !== undefined) return `${host}: ${error.message}`
  if (status === undefined) return `${host}: nothing known`
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

export const health = defineCommand({
  name: 'health',
  summary: 'Ask the service for its health on each host; exit 5 when one is not healthy',
  examples: ['netops health', 'netops health --root /tmp/site --json'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const asked = await askAll(options, context)
    const outcomes = asked.map((entry) => ({ outcome: outcomeOf(entry), changed: false }))
    return {
      outcome: joinOutcomes(outcomes),
      data: { hosts: asked.map((entry) => ({ host: entry.host, ...entry.status?.health, error: failureOf(entry) })) },
      text: asked.map(describeHealth).join('\n'),
    }
  },
})

const outcomeOf = ({ status, error }: Asked): Outcome =>
  error?.code ?? (status?.health.healthy === true && status.health.ready ? 'done' : 'unhealthy')

function describeHealth({ host, status, error }: Asked): string {
  if (error !== undefined || status === undefined) return `${host}: ${error?.message ?? 'nothing known'}`
  const { health, release } = status
  const checks = Object.entries(health.checks).map(([name, ok]) => `${name} ${ok ? 'ok' : 'FAILED'}`)
  return `${host}: ${health.status}${health.ready ? '' : ', not ready'}, release ${health.release ?? release ?? 'none'}${
    checks.length === 0 ? '' : ` (${checks.join(', ')})`
  }`
}
