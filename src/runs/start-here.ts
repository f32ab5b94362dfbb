// Starts a run on this host by hand or by a timer: the same host run that an operator's netops would have started.
import { readerOf, connectHere } from '../drivers/hosts/readers.ts'
import { servicesFor } from '../drivers/services/choose.ts'
import { readJournal, runState } from '../engine/journal.ts'
import { forgetRun } from '../engine/run-file.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { refuseUnfit } from '../procedures/ground.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { decide, parseRequest, procedureNamed } from '../procedures/list.ts'
import type { RunResult } from '../engine/run.ts'
import type { RunContext } from './context.ts'
import { shownPlan, type ShownStep } from './dry-run.ts'
import { keepRequest } from './host-run-request.ts'
import { carryOut } from './host-run.ts'
import { newRunId } from './run-journal.ts'

/** What is to be run here. */
export interface StartHere {
  readonly procedure: string
  /** `/`, or the folder that everything lies below. */
  readonly root: string
  /** The fields of the request that are the procedure's own. */
  readonly fields: Readonly<Record<string, unknown>>
  /** The netops executable that carries it out, and goes on with it. */
  readonly netops: string
}

/**
 * The request for a new run of this host.
 * @throws NetopsError `usage` naming each field that does not fit, `refused` for a procedure that netops does not know
 */
export function requestHere({ procedure, root, fields, netops }: StartHere, now: Date): HostRequest {
  procedureNamed(procedure)
  const place = { run: newRunId(procedure, now), host: 'local', root, manager: servicesFor(root, netops).kind, netops }
  try {
    return parseRequest({ ...fields, procedure, ...place })
  } catch (error) {
    if (error instanceof NetopsError || !isIssues(error)) throw error
    const problems = error.issues.map(
      ({ path, message }) => `${path.map(String).join('.') || 'the request'}: ${message}`,
    )
    throw new NetopsError('usage', { message: problems.join('\n'), hint: `the fields of a request for ${procedure}` })
  }
}

interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]
}

const isIssues = (error: unknown): error is Issues =>
  typeof error === 'object' && error !== null && 'issues' in error && Array.isArray(error.issues)

/** Carries it out in this process. */
export async function runHere(request: HostRequest, context: RunContext): Promise<RunResult> {
  const { root, run } = request
  await keepRequest(request)
  try {
    return await carryOut(root, run, 'forward', context)
  } finally {
    // Refused before it began: whoever started it is told so here, and nobody else follows it.
    const { runs } = hostPaths(root)
    const { start, end } = runState((await readJournal(runs, run)) ?? [])
    if (start === undefined && end !== undefined) await forgetRun(runs, run)
  }
}

/** What it would do. */
export async function showHere(request: HostRequest): Promise<readonly ShownStep[]> {
  const services = servicesFor(request.root, request.netops)
  const reader = readerOf(connectHere(request.host))
  const { plan, demands } = await decide(request, { reader, services })
  await refuseUnfit(reader, request.host, demands())
  return shownPlan(plan, services)
}
