// Deploys a release to a fleet: pushes what each host lacks, then has each host activate it by itself.
import { dirname, join } from 'node:path'
import type { ActivationInput } from '../model/activation.ts'
import type { Effect } from '../model/effects.ts'
import { hostPaths, serverExecutable } from '../model/paths.ts'
import { independently, sequence, type Group, type Step } from '../model/plan.ts'

/** A file on the operator's machine that hosts may need. */
export interface LocalFile {
  readonly path: string
  readonly sha256: string
  readonly size: number
}

/** One host's part of a fleet procedure. */
export interface HostPart {
  readonly input: ActivationInput
  /** The netops build to push, unless the host has it. */
  readonly netops: LocalFile | undefined
  /** The executable to push, unless the host has the release. */
  readonly release: LocalFile | undefined
  /** The configuration to push, unless the host has it in place. */
  readonly config: LocalFile | undefined
}

/** How many hosts are worked on at once. */
const parallelHosts = 10

/** The steps of a deployment or rollback on several hosts; a host that fails leaves the others alone. Pure. */
export const planFleet = (title: string, parts: readonly HostPart[]): Group =>
  independently(title, parts.map(planHost), parallelHosts)

function planHost(part: HostPart): Group {
  const { input } = part
  const paths = hostPaths(input.root)
  const incoming = join(paths.incoming, input.run)
  const step = (id: string, title: string, act: readonly Effect[]): Step => ({
    kind: 'step',
    id: `${input.host}/${id}`,
    host: input.host,
    title,
    act: [...act],
    undo: [],
    ...(act.length === 0 ? { unchanged: true } : {}),
  })
  const folder = (path: string, mode: string): Effect => ({ kind: 'directory', path, mode })
  const push = (file: LocalFile, path: string, mode: string): Effect => ({
    kind: 'push',
    from: file.path,
    path,
    mode,
    sha256: file.sha256,
    size: file.size,
    run: input.run,
  })
  return sequence(`${input.reason} on ${input.host}`, [
    step(
      'netops',
      'Push netops',
      part.netops === undefined ? [] : [folder(dirname(input.netops), '0755'), push(part.netops, input.netops, '0755')],
    ),
    step(
      'release',
      `Push the release (${input.release.id})`,
      part.release === undefined
        ? []
        : [folder(incoming, '0700'), push(part.release, join(incoming, serverExecutable), '0755')],
    ),
    step(
      'config',
      'Push the configuration',
      part.config === undefined
        ? []
        : [folder(incoming, '0700'), push(part.config, join(incoming, 'config.yaml'), '0600')],
    ),
    step('activate', 'Activate it on the host', [
      { kind: 'job', run: input.run, netops: input.netops, root: input.root, input },
    ]),
  ])
}
