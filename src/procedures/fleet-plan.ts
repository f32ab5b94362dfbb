// A procedure on a fleet: brings each host what it lacks, takes the hosts, has each do its part by itself, gives them back.
import { dirname, join } from 'node:path'
import type { Effect, LeaseEffect } from '../model/effects.ts'
import { hostPaths } from '../model/paths.ts'
import { independently, sequence, together, type Group, type Step } from '../model/plan.ts'
import type { PlanDigest } from '../model/plan-digest.ts'
import type { LocalFile } from '../system/local-file.ts'
import { procedureNamed } from './list.ts'
import type { Assignment } from './procedure.ts'

/** One host's share of a fleet run. */
export interface HostShare extends Assignment {
  /** The netops build to push, unless the host has it. */
  readonly netops: LocalFile | undefined
  /** The plan that was decided from here, which the host's own must not differ from; undefined where it could not be. */
  readonly shown: PlanDigest | undefined
}

export interface FleetRun {
  readonly run: string
  readonly procedure: string
  /** Who asks, for whoever finds the hosts taken. */
  readonly by: string
}

/** How many hosts are worked on at once. */
const parallelHosts = 10

/**
 * The steps of a procedure on several hosts. The hosts are taken in the order of their names, so that of two operators one
 * gets all and the other none; then a host that fails leaves the others alone. Pure.
 */
export function planFleet({ run, procedure, by }: FleetRun, shares: readonly HostShare[]): Group {
  const lease = (share: HostShare, action: LeaseEffect['action']): LeaseEffect => ({
    kind: 'lease',
    action,
    run,
    reason: `${procedure} by ${by}`,
    netops: share.request.netops,
    root: share.request.root,
  })
  const inOrder = shares.toSorted((a, b) => (a.request.host < b.request.host ? -1 : 1))
  const take = inOrder.map((share) => ({
    ...step(share, 'lease', 'Take the host', [lease(share, 'take')]),
    renews: true as const,
  }))
  return {
    ...sequence(`${procedure} on ${shares.length} hosts`, [
      together('Push netops', shares.map(pushNetops), parallelHosts),
      sequence('Take the hosts', take),
      independently(`${procedure} on each host`, shares.map(planHost), parallelHosts),
    ]),
    always: inOrder.map((share) => step(share, 'give-back', 'Give the host back', [lease(share, 'give-back')])),
  }
}

const step = ({ request: { host } }: HostShare, id: string, title: string, act: readonly Effect[]): Step => ({
  kind: 'step',
  id: `${host}/${id}`,
  host,
  title,
  act: [...act],
  undo: [],
  ...(act.length === 0 ? { unchanged: true } : {}),
})

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
  const hostRun: Effect = { kind: 'job', run, netops, root, input: { ...request, ...(shown && { shown }) } }
  return sequence(`${procedure} on ${host}`, [
    ...pushes,
    {
      ...step(share, procedure, procedureNamed(procedure).title, [hostRun]),
      undo: [{ kind: 'undo-job', run, netops, root }],
    },
  ])
}
