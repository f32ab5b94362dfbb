// A procedure on a fleet: brings each host what it lacks, takes the hosts, has each do its share by itself, gives them back.
import { dirname, join } from 'node:path'
import type { Effect, LeaseEffect } from '../model/effects.ts'
import { hostPaths } from '../model/paths.ts'
import type { Failure } from '../model/failure.ts'
import {
  allOrNone,
  batchSizes,
  operatorHost,
  sequence,
  stepsOf,
  tolerantly,
  type BatchSize,
  type Group,
  type Plan,
  type Step,
} from '../model/plan.ts'
import type { PlanDigest } from '../model/plan-digest.ts'
import { formatDuration } from '../model/units.ts'
import type { LocalFile } from '../system/local-file.ts'
import { procedureNamed } from './list.ts'
import type { Assignment } from './procedure.ts'

/** One host's share of a fleet run. */
export interface HostShare extends Assignment {
  /** The netops build to push, unless the host has it. */
  readonly netops: LocalFile | undefined
  /** The plan that was decided from here, which the host's own must not differ from; undefined where it could not be. */
  readonly shown: PlanDigest | undefined
  /** The host could not be looked at: it is tried, and does what it finds to be done. */
  readonly unseen?: true
}

/** A host that is part of the run and for which nothing can be done: it is counted and named. */
export interface ImpossibleHost {
  readonly host: string
  readonly failure: Failure
}

export interface FleetRun {
  readonly run: string
  readonly procedure: string
  /** Who asks, for whoever finds the hosts taken. */
  readonly by: string
}

/** How a run goes through its hosts. Without any of it: all of them at once, and a host that fails leaves the others alone. */
export interface RolloutPolicy {
  /** The sizes of batches, the last one again and again: a number of hosts or a share of all. */
  readonly batches?: readonly BatchSize[] | undefined
  /** On how many hosts at once. */
  readonly maxUnavailable?: number | undefined
  /** How many hosts may fail, or be out of reach, before no other is begun. */
  readonly maxFailures?: number | undefined
  /** Between two batches, in ms. */
  readonly pauseMs?: number | undefined
}

export interface FleetMembers {
  readonly shares: readonly HostShare[]
  readonly impossible?: readonly ImpossibleHost[]
}

/** How many hosts are worked on at once unless a policy says so. */
const parallelHosts = 10

/**
 * The steps of a procedure on several hosts. The hosts are taken in the order of their names, so that of two operators one
 * gets all and the other none; then a host that fails leaves the others alone. A host that is lost on the way keeps nobody
 * from the others. Pure.
 */
export function planFleet(
  { run, procedure, by }: FleetRun,
  { shares, impossible = [] }: FleetMembers,
  policy: RolloutPolicy = {},
): Group {
  const lease = (share: HostShare, action: LeaseEffect['action']): LeaseEffect => ({
    kind: 'lease',
    action,
    run,
    reason: `${procedure} by ${by}`,
    netops: share.request.netops,
    root: share.request.root,
    ...leasesOf(share),
  })
  const inOrder = shares.toSorted((a, b) => (a.request.host < b.request.host ? -1 : 1))
  const hosts = shares.length + impossible.length
  // Nothing is touched before all hosts are taken: there only those that are lost are let go.
  const before = { maxFailures: policy.maxFailures ?? 0, maxLost: hosts, onLost: 'park' } as const
  return {
    ...sequence(`${procedure} on ${hosts} hosts`, [
      { ...allOrNone('Push netops', shares.map(pushNetops), parallelHosts), ...before },
      {
        ...sequence(
          'Take the hosts',
          inOrder.map((share) => ({
            ...step(share, 'lease', 'Take the host', [lease(share, 'take')]),
            when: { step: `${share.request.host}/netops`, is: 'done' } as const,
            transient: true as const,
          })),
        ),
        ...before,
        // Another operator is at work on the same hosts: then one gets all, and the other none.
        intolerable: ['locked'],
      },
      rollout(`${procedure} on each host`, shares, impossible, policy),
    ]),
    onLost: 'park',
    // Hosts that are done stay so, whatever becomes of others.
    onFailure: 'keep',
    always: inOrder.map((share) => ({
      ...step(share, 'give-back', 'Give the host back', [lease(share, 'give-back')]),
      when: { step: `${share.request.host}/lease`, is: 'begun' } as const,
    })),
  }
}

/** Each host by itself, in batches where the policy asks for them. */
function rollout(
  title: string,
  shares: readonly HostShare[],
  impossible: readonly ImpossibleHost[],
  { batches, maxUnavailable = parallelHosts, maxFailures, pauseMs }: RolloutPolicy,
): Group {
  // Whatever is known to fail counts from the beginning, and is no part of a batch that others are judged by.
  const [unseen, seen] = [shares.filter((share) => share.unseen === true), shares.filter(({ unseen }) => !unseen)]
  const members: readonly Plan[] = [...impossible.map(planImpossible), ...[...unseen, ...seen].map(planHost)]
  const sizes = batches === undefined ? [] : batchSizes(batches, seen.length)
  const [first = 0, ...rest] = sizes
  const waves = {
    sizes: [members.length - seen.length + first, ...rest],
    between: rest.map((_, at) => pause(at, pauseMs)),
  }
  return tolerantly(title, members, {
    limit: maxUnavailable,
    maxFailures: maxFailures ?? members.length,
    ...(rest.length === 0 ? {} : { batches: pauseMs === undefined ? { sizes: waves.sizes } : waves }),
  })
}

/** @param at which batch it comes after, from 0 */
const pause = (at: number, pauseMs = 0): Step => ({
  kind: 'step',
  id: `batch-${at + 1}/pause`,
  host: operatorHost,
  title: `Pause for ${formatDuration(pauseMs)} before the next batch`,
  act: [],
  undo: [],
  until: {
    probe: { kind: 'elapsed' },
    holdForMs: 0,
    deadlineMs: pauseMs,
    onDeadline: 'go-on',
    from: operatorHost,
    met: 'over',
  },
})

const planImpossible = ({ host, failure }: ImpossibleHost): Step => ({
  kind: 'step',
  id: `${host}/look`,
  host,
  title: 'Look whether it can be done',
  act: [],
  undo: [],
  impossible: failure,
})

const step = ({ request: { host } }: HostShare, id: string, title: string, act: readonly Effect[]): Step => ({
  kind: 'step',
  id: `${host}/${id}`,
  host,
  title,
  act: [...act],
  undo: [],
  ...(act.length === 0 ? { unchanged: true } : {}),
})

/** Which of a host's leases the fleet takes: those of the procedure, where they are not just the release's. */
function leasesOf({ request }: HostShare): Pick<LeaseEffect, 'leases'> {
  const { leases } = procedureNamed(request.procedure)
  return leases.length === 1 && leases[0] === 'release' ? {} : { leases: [...leases] }
}

const folder = (path: string, mode: string): Effect => ({ kind: 'directory', path, mode })

// Executables of ours share their Node; a smaller file is not worth the look at what a host has.
const smallestWithBases = 1_000_000

const push = (share: HostShare, file: LocalFile, path: string, mode: string): Effect => ({
  kind: 'push',
  from: file.path,
  path,
  mode,
  sha256: file.sha256,
  size: file.size,
  run: share.request.run,
  // Below another root the host is this machine, where copying is as quick as comparing.
  ...(share.request.root === '/' && file.size >= smallestWithBases ? { bases: basesOf(share) } : {}),
})

function basesOf({ request }: HostShare) {
  const { releases, netopsBuilds } = hostPaths(request.root)
  return { releases, netops: netopsBuilds }
}

function pushNetops(share: HostShare): Step {
  const { netops } = share.request
  const act =
    share.netops === undefined ? [] : [folder(dirname(netops), '0755'), push(share, share.netops, netops, '0755')]
  return step(share, 'netops', 'Push netops', act)
}

/** The steps that bring a host what it lacks, and have its netops work there. */
export const bringing = (share: HostShare): readonly Step[] => [pushNetops(share), ...stepsOf(planHost(share))]

function planHost(share: HostShare): Group {
  const { request, shown } = share
  const { procedure, run, host, netops, root } = request
  const incoming = join(hostPaths(root).incoming, run)
  const pushes = share.pushes.map(({ id, title, file, source, name, mode }) => {
    const path = join(incoming, name)
    const content: readonly Effect[] =
      source !== undefined
        ? [{ kind: 'provide', source: source.from, cwd: source.cwd, path, mode }]
        : file !== undefined
          ? [push(share, file, path, mode)]
          : []
    return step(share, id, title, content.length === 0 ? [] : [folder(incoming, '0700'), ...content])
  })
  const hostRun: Effect = { kind: 'host-run', run, netops, root, input: { ...request, ...(shown && { shown }) } }
  const steps = [
    ...pushes,
    {
      ...step(share, procedure, procedureNamed(procedure).title, [hostRun]),
      undo: [{ kind: 'undo-host-run' as const, run, netops, root }],
    },
  ]
  return { ...sequence(`${procedure} on ${host}`, steps), when: { step: `${host}/lease`, is: 'done' } }
}
