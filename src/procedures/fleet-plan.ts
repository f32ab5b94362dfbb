// A procedure on a fleet: brings each host what it lacks, takes the hosts, has each do its part by itself, gives them back.
import { dirname, join } from 'node:path'
import type { Effect, LeaseEffect } from '../model/effects.ts'
import type { FileSource } from '../model/file-source.ts'
import type { HostOrder } from './request.ts'
import { hostPaths } from '../model/paths.ts'
import { independently, sequence, together, type Group, type Step } from '../model/plan.ts'

/** A file on the operator's machine that hosts may need. */
export interface LocalFile {
  readonly path: string
  readonly sha256: string
  readonly size: number
}

/** A file that a host's part needs beside its order. */
export interface Push {
  /** Within the host's steps: `release`. */
  readonly id: string
  readonly title: string
  /** Undefined when the host has it already, or its content is read late. */
  readonly file: LocalFile | undefined
  /** Where the content is read when it is brought, and the folder that this begins at. */
  readonly source?: { readonly from: FileSource; readonly cwd: string }
  /** Its name in the run's folder of incoming files. */
  readonly name: string
  readonly mode: string
}

/** One host's part of a fleet procedure. */
export interface HostPart {
  readonly order: HostOrder
  /** The netops build to push, unless the host has it. */
  readonly netops: LocalFile | undefined
  readonly pushes: readonly Push[]
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
export function planFleet({ run, procedure, by }: FleetRun, parts: readonly HostPart[]): Group {
  const lease = (part: HostPart, action: LeaseEffect['action']): LeaseEffect => ({
    kind: 'lease',
    action,
    run,
    reason: `${procedure} by ${by}`,
    netops: part.order.netops,
    root: part.order.root,
  })
  const inOrder = parts.toSorted((a, b) => (a.order.host < b.order.host ? -1 : 1))
  const take = inOrder.map((part) => ({
    ...step(part, 'lease', 'Take the host', [lease(part, 'take')]),
    renews: true as const,
  }))
  return {
    ...sequence(`${procedure} on ${parts.length} hosts`, [
      together('Push netops', parts.map(pushNetops), parallelHosts),
      sequence('Take the hosts', take),
      independently(`${procedure} on each host`, parts.map(planHost), parallelHosts),
    ]),
    always: inOrder.map((part) => step(part, 'give-back', 'Give the host back', [lease(part, 'give-back')])),
  }
}

const step = ({ order: { host } }: HostPart, id: string, title: string, act: readonly Effect[]): Step => ({
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

const push = (part: HostPart, file: LocalFile, path: string, mode: string): Effect => ({
  kind: 'push',
  from: file.path,
  path,
  mode,
  sha256: file.sha256,
  size: file.size,
  run: part.order.run,
  // Below another root the host is this machine, where copying is as quick as comparing.
  ...(part.order.root === '/' && file.size >= smallestWithBases ? { bases: basesOf(part) } : {}),
})

function basesOf({ order }: HostPart) {
  const { releases, netopsBuilds } = hostPaths(order.root)
  return { releases, netops: netopsBuilds }
}

function pushNetops(part: HostPart): Step {
  const { netops } = part.order
  const act =
    part.netops === undefined ? [] : [folder(dirname(netops), '0755'), push(part, part.netops, netops, '0755')]
  return step(part, 'netops', 'Push netops', act)
}

const jobTitles: Readonly<Record<HostOrder['procedure'], string>> = {
  activate: 'Activate it on the host',
  tune: 'Tune the host',
  gc: 'Clean up the host',
}

function planHost(part: HostPart): Group {
  const { order } = part
  const incoming = join(hostPaths(order.root).incoming, order.run)
  const pushes = part.pushes.map(({ id, title, file, source, name, mode }) => {
    const path = join(incoming, name)
    const content: readonly Effect[] =
      source !== undefined
        ? [{ kind: 'provide', source: source.from, cwd: source.cwd, path, mode }]
        : file !== undefined
          ? [push(part, file, path, mode)]
          : []
    return step(part, id, title, content.length === 0 ? [] : [folder(incoming, '0700'), ...content])
  })
  const { run, netops, root } = order
  const job: Step = {
    ...step(part, order.procedure, jobTitles[order.procedure], [{ kind: 'job', run, netops, root, input: order }]),
    undo: [{ kind: 'undo-job', run, netops, root }],
  }
  return sequence(`${order.procedure} on ${order.host}`, [...pushes, job])
}
