// What is so on the hosts of a run once it is over: asked there, so that no result is made of what was asked for.
import { readerOf } from '../drivers/hosts/readers.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { procedureNamed } from '../procedures/list.ts'
import type { Standing } from '../procedures/procedure.ts'
import type { RunResult } from '../engine/run.ts'
import type { RunHost } from './hosts.ts'

/** By host; one that was lost, or is lost now, is not among them. */
export type Standings = ReadonlyMap<string, Standing>

/** Asks every host that the run has not lost. */
export async function readStandings(
  hosts: ReadonlyMap<string, RunHost>,
  requests: readonly HostRequest[],
  { failures }: Pick<RunResult, 'failures'>,
): Promise<Standings> {
  const lost = new Set(failures.flatMap(({ code, host }) => (code === 'unreachable' ? [host] : [])))
  const standings = new Map<string, Standing>()
  await Promise.all(
    requests.map(async (request) => {
      const host = hosts.get(request.host)
      if (host === undefined || lost.has(request.host)) return
      // The run is over and its result stands: a host that does not answer now says nothing of itself.
      const standing = await standingOf(host, request).catch(() => undefined)
      if (standing !== undefined) standings.set(request.host, standing)
    }),
  )
  return standings
}

async function standingOf(host: RunHost, request: HostRequest): Promise<Standing | undefined> {
  const reader = readerOf(await host.connection())
  return procedureNamed(request.procedure).standing(request, { reader, services: host.services })
}
