// A fleet procedure from the operator's side: every host is looked at, the plan is made, and shown or carried out.
import { dirname, join } from 'node:path'
import { mkdir } from 'node:fs/promises'
import { userInfo, hostname } from 'node:os'
import { readerOf } from '../drivers/hosts/readers.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import { digestOf } from '../engine/plan-digest.ts'
import type { Hooks } from '../model/journal.ts'
import type { Target } from '../model/target.ts'
import { planFleet, type FleetRun, type HostShare } from '../procedures/fleet-plan.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import { decide } from '../procedures/list.ts'
import type { AssignedPlace, Decision, FleetProcedure } from '../procedures/procedure.ts'
import type { RunContext } from '../runs/context.ts'
import { shownPlan, type ShownStep } from '../runs/dry-run.ts'
import { beginFleetRun } from '../runs/fleet-run.ts'
import type { RunHost } from '../runs/hosts.ts'
import { newRunId, type Ran } from '../runs/run-journal.ts'
import { writeFileAtomic } from '../system/files.ts'
import { readLocalFile, type LocalFile } from '../system/local-file.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { ownNetops } from './own-netops.ts'
import { netopsOnHost, runHosts } from './run-hosts.ts'

export interface FleetRunOptions {
  readonly dryRun: boolean
  /** Returns when the run may begin; not asked for a dry run. */
  readonly confirm?: (() => Promise<void>) | undefined
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

export interface FinishedFleetRun extends Ran {
  readonly procedure: string
  readonly run: string
  readonly requests: readonly HostRequest[]
}

export type FleetRunEnd = { readonly shown: readonly ShownHost[] } | { readonly finished: FinishedFleetRun }

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
  const hosts = runHosts(fleet.targets, netops.sha256, context.connections)
  try {
    await onEach(fleet, hosts, async (to, host) => {
      await guardEnvironment(to, await host.connection(), fleet.environment)
    })
    const drafts = await onEach(fleet, hosts, (to, host) =>
      draft({ procedure, input, fleet, run, netops }, to, host),
    )
    const fleetRun: FleetRun = { run, procedure: name, by: `${userInfo().username}@${hostname()}` }
    if (options.dryRun) return { shown: drafts.map((one) => show(one, fleetRun)) }
    await options.confirm?.()
    await writeDown(drafts.flatMap(({ share }) => share.writes ?? []))
    const shares = drafts.map(({ share }) => share)
    const { targets, environment } = fleet
    const ran = await beginFleetRun(
      {
        runs: fleet.runs,
        run,
        procedure: name,
        input: {
          targets: [...targets],
          netops: netops.sha256,
          ...(environment === undefined ? {} : { environment }),
        },
        facts: Object.fromEntries(drafts.map(({ host, decision }) => [host.name, decision.facts])),
        plan: planFleet(fleetRun, shares),
        hooks: hooksOf(fleet, name),
      },
      hosts,
      context,
    )
    return { finished: { ...ran, procedure: name, run, requests: shares.map(({ request }) => request) } }
  } finally {
    await Promise.all([...hosts.values()].map((host) => host.close()))
  }
}

/** The fleet file's own commands around this procedure: `pre_deploy`, `post_rolling_update`. */
function hooksOf({ hooks }: Fleet, procedure: string): Hooks | undefined {
  const name = procedure.replaceAll('-', '_')
  const [pre = [], post = []] = [hooks[`pre_${name}`], hooks[`post_${name}`]]
  const plain = (calls: typeof pre) => calls.map((call) => [...call])
  return pre.length + post.length === 0 ? undefined : { pre: plain(pre), post: plain(post) }
}

/** One host as it was looked at, and what it is to do. */
interface Draft {
  readonly host: RunHost
  readonly share: HostShare
  readonly decision: Decision
}

interface Drafting<Input, Found> {
  readonly procedure: FleetProcedure<Input, Found>
  readonly input: Input
  readonly fleet: Fleet
  readonly run: string
  readonly netops: LocalFile
}

async function draft<Input, Found>(
  { procedure, input, fleet, run, netops }: Drafting<Input, Found>,
  to: Target,
  host: RunHost,
): Promise<Draft> {
  const reader = readerOf(await host.connection())
  const place: AssignedPlace = {
    run: `${run}.${to.name}`,
    host: to.name,
    root: to.root,
    manager: host.services.kind,
    netops: netopsOnHost(to.root, netops.sha256),
    fleet: run,
    scratch: join(fleet.runs, run),
  }
  const assignment = procedure.assign(input, place, await procedure.look(input, place, reader))
  const [decision, present] = await Promise.all([
    decide(assignment.request, { reader, services: host.services }),
    reader.sha256(place.netops),
  ])
  const lacks = present === netops.sha256 ? undefined : netops
  return { host, decision, share: { ...assignment, netops: lacks, shown: digestOf(decision.plan) } }
}

/** Does the same on every host at once; the first failure, in the order of the fleet, is thrown with its host. */
async function onEach<T>(
  { targets }: Fleet,
  hosts: ReadonlyMap<string, RunHost>,
  work: (to: Target, host: RunHost) => Promise<T>,
): Promise<readonly T[]> {
  const settled = await Promise.allSettled(
    targets.map((to) => {
      const host = hosts.get(to.name)
      return host === undefined ? Promise.reject(new TypeError(`${to.name} is not a host of this run`)) : work(to, host)
    }),
  )
  return settled.map((result, index) => {
    if (result.status === 'fulfilled') return result.value
    throw located(result.reason, targets[index])
  })
}

const located = (thrown: unknown, to: Target | undefined): NetopsError => locate(thrown, { host: to?.name ?? '' })

function show({ host, share, decision }: Draft, fleetRun: FleetRun): ShownHost {
  return {
    host: host.name,
    push: shownPlan(planFleet(fleetRun, [share]), host.services),
    own: shownPlan(decision.plan, host.services),
    procedure: share.request.procedure,
  }
}

async function writeDown(files: readonly { readonly path: string; readonly text: string }[]): Promise<void> {
  for (const { path, text } of files) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFileAtomic(path, text, 0o600)
  }
}
