// A fleet procedure from the operator's side: facts of every host, the plan, and either the dry run or the run.
import { dirname, join } from 'node:path'
import { stat } from 'node:fs/promises'
import { isSea } from 'node:sea'
import { userInfo, hostname } from 'node:os'
import { readerOf } from '../drivers/hosts/readers.ts'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { exitCodes, locate, messageOf, NetopsError, systemCode } from '../model/errors.ts'
import type { Hooks } from '../model/journal.ts'
import type { HostOrder } from '../procedures/request.ts'
import { hostPaths, runsCommand } from '../model/paths.ts'
import { planFleet, type FleetRun, type HostPart, type LocalFile } from '../procedures/fleet-plan.ts'
import { readEnvironment, refuseOtherEnvironment } from '../procedures/environment-mark.ts'
import { decideHostPart, toldOf, type Decided } from '../procedures/list.ts'
import { sha256OfFile } from '../system/files.ts'
import type { CommandContext, CommandResult } from '../cli/command.ts'
import { confirmDestructive } from '../cli/terminal/confirm.ts'
import { connect } from '../fleet/connect.ts'
import type { Fleet, Target } from '../fleet/fleet.ts'
import { formatShown, hostResults, newRunId, plain, runOrder, shownPlan, type Ran } from './run-support.ts'
import type { Member } from './probes.ts'
import { servicesFor } from '../drivers/services/choose.ts'

/** A connected host and where its netops build lies. */
export interface Site extends Member {
  readonly target: Target
  readonly netops: LocalFile
  readonly netopsOnHost: string
}

export interface FleetOrder {
  /** What the operator asked for: `deploy`. */
  readonly procedure: string
  readonly fleet: Fleet
  readonly dryRun: boolean
  /** What one host is asked for, from what it is like. */
  readonly decide: (site: Site, run: string) => Promise<Omit<HostPart, 'netops'>>
  /** What is written down on this machine before the run begins; not for a dry run. */
  readonly prepare?: () => Promise<void>
  /** What it takes away or puts back, for a person who is asked in production; undefined where it does not. */
  readonly destroys?: string
  /** The environment's name, where it was given in advance. */
  readonly confirmed?: string | undefined
}

/** Runs a fleet procedure, or shows it. */
export async function runFleet(order: FleetOrder, context: CommandContext): Promise<CommandResult> {
  const { fleet, procedure } = order
  const netops = await localFile(ownNetops(context))
  const run = newRunId(procedure, new Date())
  const sites = await connectAll(fleet.targets, netops, context)
  try {
    await together(sites, (site) => guardEnvironment(site, fleet.environment))
    const drafts = await together(sites, (site) => draft(site, order, run))
    const fleetRun: FleetRun = { run, procedure, by: `${userInfo().username}@${hostname()}` }
    if (order.dryRun) return showDrafts(drafts, fleetRun)
    if (order.destroys !== undefined) {
      await confirmDestructive({ ...order, destroys: order.destroys }, fleet, context)
    }
    await order.prepare?.()
    const parts = drafts.map(({ part }) => part)
    const members = new Map(sites.map((site) => [site.target.name, site]))
    const { targets, environment } = fleet
    const input = { targets, netops: netops.sha256, ...(environment === undefined ? {} : { environment }) }
    const facts = Object.fromEntries(drafts.map(({ site, decided }) => [site.target.name, decided.facts]))
    const plan = planFleet(fleetRun, parts)
    const ran = await runOrder(
      { runs: fleet.runs, run, procedure, input, facts, plan, hooks: hooksOf(fleet, procedure) },
      members,
      context,
    )
    return summarize(
      procedure,
      run,
      ran,
      parts.map((part) => part.order),
    )
  } finally {
    await Promise.all(sites.map(({ connection }) => connection.close()))
  }
}

/** The fleet file's own commands around this procedure: `pre_deploy`, `post_rolling_update`. */
function hooksOf({ hooks }: Fleet, procedure: string): Hooks | undefined {
  const name = procedure.replaceAll('-', '_')
  const [pre = [], post = []] = [hooks[`pre_${name}`], hooks[`post_${name}`]]
  const plain = (calls: typeof pre) => calls.map((call) => [...call])
  return pre.length + post.length === 0 ? undefined : { pre: plain(pre), post: plain(post) }
}

/** Refuses a host that is marked as something else than what the fleet file is for. */
export async function guardEnvironment(
  { target, connection }: Pick<Site, 'target' | 'connection'>,
  environment: string | undefined,
): Promise<void> {
  if (target.kind === 'local') return
  const marked = await readEnvironment(readerOf(connection), hostPaths(target.root))
  refuseOtherEnvironment(target.name, marked, environment)
}

interface Draft {
  readonly site: Site
  readonly part: HostPart
  readonly decided: Decided
}

async function draft(site: Site, order: FleetOrder, run: string): Promise<Draft> {
  const reader = readerOf(site.connection)
  const part = await order.decide(site, `${run}.${site.target.name}`)
  const [decided, present] = await Promise.all([
    decideHostPart(part.order, { reader, services: site.services }),
    reader.sha256(site.netopsOnHost),
  ])
  const netops = present === site.netops.sha256 ? undefined : site.netops
  return { site, decided, part: { ...part, netops } }
}

/** Does the same on every host at once; the first failure, in the order of the fleet, is told with its host. */
async function together<T>(sites: readonly Site[], work: (site: Site) => Promise<T>): Promise<readonly T[]> {
  const settled = await Promise.allSettled(sites.map(work))
  return settled.map((result, index) => {
    if (result.status === 'fulfilled') return result.value
    throw locate(result.reason, { host: sites[index]?.target.name ?? '' })
  })
}

/** Connects to all hosts of a run, or to none. */
export async function connectAll(
  targets: readonly Target[],
  netops: LocalFile,
  context: CommandContext,
): Promise<readonly Site[]> {
  const settled = await Promise.allSettled(targets.map((to) => connect(to, context)))
  const open = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(open.map((connection) => connection.close()))
    throw failed.reason
  }
  return targets.flatMap((to, index) => (open[index] === undefined ? [] : [siteOf(to, open[index], netops)]))
}

function siteOf(to: Target, connection: HostConnection, netops: LocalFile): Site {
  const netopsOnHost = join(hostPaths(to.root).netopsBuilds, netops.sha256.slice(0, 12), 'netops')
  return { target: to, connection, netops, netopsOnHost, services: servicesFor(to.root, netopsOnHost) }
}

/** What every order for a site says of the place and the run. */
export const placeOf = (site: Site, run: string) =>
  ({
    run,
    host: site.target.name,
    root: site.target.root,
    manager: site.services.kind,
    netops: site.netopsOnHost,
  }) as const

/** The netops executable that hosts get: this one, or from a checkout what `netops build` made. */
export function ownNetops({ env }: CommandContext): string {
  if (env.NETOPS_EXECUTABLE !== undefined) return env.NETOPS_EXECUTABLE
  return isSea() ? process.execPath : join(import.meta.dirname, '..', '..', 'build', 'netops')
}

/** @throws NetopsError `usage` when there is no such file */
export async function localFile(path: string): Promise<LocalFile> {
  const found = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw new NetopsError('failed', { message: `cannot read ${path}: ${messageOf(error)}`, cause: error })
  })
  if (found?.isFile() !== true) {
    throw new NetopsError('usage', {
      message: `there is no file ${path}`,
      hint: 'build the executables first: netops build',
    })
  }
  return { path, sha256: await sha256OfFile(path), size: found.size }
}

function showDrafts(drafts: readonly Draft[], fleetRun: FleetRun): CommandResult {
  const hosts = drafts.map(({ site, part, decided }) => ({
    host: site.target.name,
    push: shownPlan(planFleet(fleetRun, [part]), site.services),
    own: shownPlan(decided.plan, site.services),
    procedure: part.order.procedure,
  }))
  const text = hosts
    .map(
      ({ host, push, own }) =>
        `${host}: from here\n${formatShown(push, '  ')}\n${host}: by its own netops\n${formatShown(own, '  ')}`,
    )
    .join('\n\n')
  const data = hosts.map(({ host, push, own, procedure }) => ({ host, push, [procedure]: own }))
  return {
    outcome: 'done',
    data: { dryRun: true, hosts: plain(data) },
    text: `${text}\n\nDry run: nothing was changed.`,
  }
}

/** The result of a fleet run, for people and scripts. */
export function summarize(procedure: string, run: string, ran: Ran, orders: readonly HostOrder[]): CommandResult {
  const results = hostResults(
    ran,
    orders.map(({ host }) => host),
  ).map((result, index) => {
    const order = orders[index]
    const told = order === undefined ? { text: '', data: {} } : toldOf(order, result.changed)
    const { outcome, message } = result
    const line = outcome === 'done' ? told.text : `${exitCodes[outcome].meaning}\n  ${message ?? ''}`.trimEnd()
    return { data: { ...result, ...told.data }, line: `${result.host}: ${line}` }
  })
  const hosts = results.map(({ data }) => data)
  const lines = results.map(({ line }) => line)
  const [first] = ran.result.failures
  const root = orders[0]?.root ?? '/'
  if (ran.result.open) {
    lines.push(`The run is not finished. Go on with: ${runsCommand('resume', run, root)}`)
    lines.push(`                Or take it back: ${runsCommand('undo', run, root)}`)
  }
  const error = first && {
    code: first.code,
    message: first.message,
    hint: first.hint,
    host: first.host,
    step: first.step,
  }
  return {
    outcome: ran.result.outcome,
    data: { procedure, run, hosts, ...(error === undefined ? {} : { error }) },
    text: [...lines, ...(first?.hint === undefined ? [] : [`hint: ${first.hint}`])].join('\n'),
  }
}

/** The folder that a build's manifest lies in. */
export const manifestBeside = (file: string): string => join(dirname(file), 'manifest.json')
