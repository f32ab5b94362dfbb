// A fleet procedure from the operator's side: every host is looked at, the plan is made, and shown or carried out.
import { dirname, join } from 'node:path'
import { hostname } from 'node:os'
import { readerOf } from '../drivers/hosts/readers.ts'
import { locate, NetopsError } from '../model/errors.ts'
import { failureOf } from '../model/failure.ts'
import { digestOf } from '../engine/plan-digest.ts'
import type { Hooks } from '../model/journal.ts'
import { stepsOf, type Plan } from '../model/plan.ts'
import type { Target } from '../model/target.ts'
import { bringing, planFleet, type FleetRun, type HostShare, type RolloutPolicy } from '../procedures/fleet-plan.ts'
import { refuseUnfit } from '../procedures/ground.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { decide } from '../procedures/list.ts'
import type { AssignedPlace, Decision, FleetProcedure } from '../procedures/procedure.ts'
import type { RunContext } from '../runs/context.ts'
import { shownPlan, type ShownStep } from '../runs/dry-run.ts'
import { beginFleetRun } from '../runs/fleet-run.ts'
import type { RunHost } from '../runs/hosts.ts'
import { newRunId, type Ran } from '../runs/run-journal.ts'
import type { Standings } from '../runs/standings.ts'
import { makeFolder, writeFileAtomic } from '../system/files.ts'
import { readLocalFile, type LocalFile } from '../system/local-file.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { ownNetops } from './own-netops.ts'
import { netopsOnHost, runHosts } from './run-hosts.ts'
import { accountName } from '../system/account.ts'

export interface FleetRunOptions {
  readonly dryRun: boolean
  /** Returns when the run may begin; not asked for a dry run. */
  readonly confirm?: (() => Promise<void>) | undefined
  /** How it goes through the hosts; undefined where the operator has no say in it. */
  readonly policy?: RolloutPolicy | undefined
}

/** What a dry run found out about one host. */
export interface ShownHost {
  readonly host: string
  /** What is done from here. */
  readonly push: readonly ShownStep[]
  /** What its own netops does. */
  readonly own: readonly ShownStep[]
  readonly procedure: string
}

/** A host on which it cannot be done, or that cannot be looked at. */
export interface RefusedHost {
  readonly host: string
  readonly error: NetopsError
}

export interface FinishedFleetRun extends Ran {
  readonly procedure: string
  readonly run: string
  /** All hosts of the run, in the order of the fleet. */
  readonly hosts: readonly string[]
  /** What is so on them now. */
  readonly standings: Standings
  /** What hosts were asked for; one for which nothing could be done is not among them. */
  readonly requests: readonly HostRequest[]
}

export type FleetRunEnd =
  | { readonly shown: readonly ShownHost[]; readonly refused: readonly RefusedHost[] }
  | { readonly finished: FinishedFleetRun }

/** Runs a fleet procedure, or shows it. */
export async function startFleetRun<Input, Found>(
  procedure: FleetProcedure<Input, Found>,
  input: Input,
  { fleet, options }: { readonly fleet: Fleet; readonly options: FleetRunOptions },
  context: FleetContext & RunContext,
): Promise<FleetRunEnd> {
  const netops = await readLocalFile(ownNetops(context))
  const { name } = procedure
  const run = newRunId(name, new Date())
  const hosts = runHosts(fleet.targets, { netops: netops.sha256, environment: fleet.environment }, context.connections)
  try {
    const preparation = { procedure, input, fleet, run, netops, signal: context.signal }
    const { prepared, refused } = await prepareAll(preparation, hosts, options)
    const fleetRun: FleetRun = { run, procedure: name, by: `${accountName()}@${hostname()}` }
    if (options.dryRun) return { shown: prepared.map((one) => show(one, fleetRun)), refused }
    await options.confirm?.()
    begunNothing(context.signal)
    await writeDown(prepared.flatMap(({ share }) => share.writes ?? []))
    const shares = prepared.map(({ share }) => share)
    const impossible = refused.map(({ host, error }) => ({ host, failure: failureOf(error) }))
    const { targets, environment } = fleet
    const plan = planFleet(fleetRun, { shares, impossible }, options.policy)
    await readSources(plan, context.sources)
    const ran = await beginFleetRun(
      {
        runs: fleet.runs,
        run,
        procedure: name,
        fleetFile: fleet.file,
        input: {
          targets: [...targets],
          netops: netops.sha256,
          ...(environment === undefined ? {} : { environment }),
        },
        facts: Object.fromEntries(prepared.map(({ host, decision }) => [host.name, decision?.facts ?? null])),
        plan,
        hooks: hooksOf(fleet, name),
      },
      hosts,
      context,
    )
    const requests = shares.map(({ request }) => request)
    return { finished: { ...ran, procedure: name, run, hosts: targets.map((to) => to.name), requests } }
  } finally {
    await Promise.all([...hosts.values()].map((host) => host.close()))
  }
}

/** @throws NetopsError `interrupted` where the operator has stopped it: then nothing is begun, not even a hook */
function begunNothing(signal: AbortSignal): void {
  if (signal.aborted)
    throw new NetopsError('interrupted', { message: 'stopped before the run began; nothing was touched' })
}

/**
 * Reads what is to be placed before anything is touched; what a command printed is kept until it is brought.
 * @throws NetopsError `usage` where there is nothing to be placed
 */
async function readSources(plan: Plan, sources: RunContext['sources']): Promise<void> {
  const provided = new Map(
    stepsOf(plan)
      .flatMap(({ act }) => act)
      .flatMap((effect) => (effect.kind === 'provide' ? [[JSON.stringify([effect.cwd, effect.source]), effect]] : [])),
  )
  for (const { source, cwd } of provided.values()) await sources.read(source, cwd)
}

/** The fleet file's own commands around this procedure: `pre_deploy`, `post_rolling_update`. */
function hooksOf({ hooks, folder }: Fleet, procedure: string): Hooks | undefined {
  const name = procedure.replaceAll('-', '_')
  const [pre = [], post = []] = [hooks[`pre_${name}`], hooks[`post_${name}`]]
  const plain = (calls: typeof pre) => calls.map((call) => [...call])
  return pre.length + post.length === 0 ? undefined : { pre: plain(pre), post: plain(post), folder }
}

/** One host as it was looked at, and what it is to do. */
interface PreparedHost {
  readonly host: RunHost
  readonly share: HostShare
  /** Undefined where the host could not be looked at. */
  readonly decision: Decision | undefined
}

interface Preparation<Input, Found> {
  readonly procedure: FleetProcedure<Input, Found>
  readonly input: Input
  readonly fleet: Fleet
  readonly run: string
  readonly netops: LocalFile
  readonly signal: AbortSignal
}

/**
 * Looks at every host. Without a failure budget the first that cannot be looked at, or on which it cannot be done, ends it
 * all; with one they are set aside, as long as there are no more than that and any host is left.
 * @throws NetopsError of the first host that is one too many; nothing was touched then
 */
async function prepareAll<Input, Found>(
  preparation: Preparation<Input, Found>,
  hosts: ReadonlyMap<string, RunHost>,
  { policy }: FleetRunOptions,
): Promise<{ readonly prepared: readonly PreparedHost[]; readonly refused: readonly RefusedHost[] }> {
  const { targets } = preparation.fleet
  const looking = targets.map((to) => ({ to, host: hostNamed(hosts, to.name) }))
  const reached = await settle(looking, async ({ host }) => {
    await host.connection()
  })
  const budget = policy?.maxFailures ?? 0
  const failures = new Map<string, NetopsError>()
  const note = (settled: typeof reached): void => {
    begunNothing(preparation.signal)
    for (const { host, error } of settled) if (error !== undefined) failures.set(host, failures.get(host) ?? error)
    const [first] = [...failures.values()]
    if (first === undefined || (failures.size <= budget && failures.size < targets.length)) return
    throw policy === undefined || targets.length === 1 ? first : withWayOut(first, failures.size)
  }
  note(reached)
  const prepared = new Map<string, PreparedHost>()
  note(
    await settle(
      looking.filter(({ to }) => !failures.has(to.name)),
      async ({ to, host }) => {
        prepared.set(to.name, await prepareHost(preparation, to, host))
      },
    ),
  )
  const refused: RefusedHost[] = []
  for (const { to, host } of looking) {
    const error = failures.get(to.name)
    if (error === undefined) continue
    const unseen = error.code === 'unreachable' ? prepareUnseen(preparation, to, host) : undefined
    if (unseen === undefined) refused.push({ host: to.name, error })
    else prepared.set(to.name, unseen)
  }
  return { prepared: targets.flatMap(({ name }) => prepared.get(name) ?? []), refused }
}

const hostNamed = (hosts: ReadonlyMap<string, RunHost>, name: string): RunHost => {
  const host = hosts.get(name)
  if (host === undefined) throw new TypeError(`${name} is not a host of this run`)
  return host
}

const withWayOut = (error: NetopsError, failed: number): NetopsError =>
  new NetopsError(error.code, {
    message: error.message,
    host: error.host,
    step: error.step,
    hint: `${error.hint === undefined ? '' : `${error.hint}; or `}go on without ${failed === 1 ? 'it' : `the ${failed} hosts that failed`}: --max-failures ${failed}`,
    cause: error.cause,
  })

interface Looking {
  readonly to: Target
  readonly host: RunHost
}

/** Does the same on every host at once; each with its failure, if any, in the order of the fleet. */
async function settle(
  looking: readonly Looking[],
  work: (one: Looking) => Promise<void>,
): Promise<readonly { readonly host: string; readonly error: NetopsError | undefined }[]> {
  return Promise.all(
    looking.map(async (one) => {
      const host = one.to.name
      try {
        await work(one)
        return { host, error: undefined }
      } catch (thrown) {
        return { host, error: locate(thrown, { host }) }
      }
    }),
  )
}

function placeOn<Input, Found>(
  { fleet, run, netops }: Preparation<Input, Found>,
  to: Target,
  host: RunHost,
): AssignedPlace {
  return {
    run: `${run}.${to.name}`,
    host: to.name,
    root: to.root,
    manager: host.services.kind,
    netops: netopsOnHost(to.root, netops.sha256),
    fleet: run,
    scratch: join(fleet.runs, run),
  }
}

async function prepareHost<Input, Found>(
  preparation: Preparation<Input, Found>,
  to: Target,
  host: RunHost,
): Promise<PreparedHost> {
  const { procedure, input, netops } = preparation
  const reader = readerOf(await host.connection())
  const place = placeOn(preparation, to, host)
  const assignment = procedure.assign(input, place, await procedure.look(input, place, reader))
  const [decision, present] = await Promise.all([
    decide(assignment.request, { reader, services: host.services }),
    reader.sha256(place.netops),
  ])
  const lacks = present === netops.sha256 ? undefined : netops
  const share = { ...assignment, netops: lacks, shown: digestOf(decision.plan, place.run) }
  await refuseUnfit(reader, to.name, decision.demands(bringing(share)))
  return { host, decision, share }
}

/** A host that could not be reached: it is brought all that it may lack, once it can be. Undefined where that is not enough. */
function prepareUnseen<Input, Found>(
  preparation: Preparation<Input, Found>,
  to: Target,
  host: RunHost,
): PreparedHost | undefined {
  const { procedure, input, netops } = preparation
  try {
    const assignment = procedure.assign(input, placeOn(preparation, to, host), undefined)
    return { host, decision: undefined, share: { ...assignment, netops, shown: undefined, unseen: true } }
  } catch (error) {
    if (error instanceof NetopsError) return undefined
    throw error
  }
}

function show({ host, share, decision }: PreparedHost, fleetRun: FleetRun): ShownHost {
  return {
    host: host.name,
    push: shownPlan(planFleet(fleetRun, { shares: [share] }), host.services),
    own: decision === undefined ? [] : shownPlan(decision.plan, host.services),
    procedure: share.request.procedure,
  }
}

async function writeDown(files: readonly { readonly path: string; readonly text: string }[]): Promise<void> {
  for (const { path, text } of files) {
    await makeFolder(dirname(path), 0o700)
    await writeFileAtomic(path, text, 0o600)
  }
}
