// What a step does to the world, as plain data: shown by a dry run, journaled, and applied by the same words.
import * as z from 'zod'
import { errorCodes } from './errors.ts'
import { fileSource } from './file-source.ts'
import { leaseNames } from './leases.ts'

const place = { path: z.string(), mode: z.string(), owner: z.string().optional() }

/** With `unlessSame` a file that has the content already gets mode and owner alone: that needs no space on the disk. */
const unlessSame = { unlessSame: z.literal(true).optional() }

const hostEffects = [
  /** A folder with this mode and owner; parents are made too. */
  z.strictObject({ kind: z.literal('directory'), ...place }),
  /** A small text file, replaced atomically. */
  z.strictObject({ kind: z.literal('write'), ...place, content: z.string(), ...unlessSame }),
  /** A copy of a file of the same host, hash-checked where a hash is given, replaced atomically. */
  z.strictObject({ kind: z.literal('copy'), from: z.string(), ...place, sha256: z.string().optional(), ...unlessSame }),
  /**
   * Whatever lies at a path of the same host as it is: a link as that link, and type, mode, owner, times, ACL and extended
   * attributes of everything. Hash-checked where a hash is given, replaced atomically; where it cannot be kept so, it fails.
   */
  z.strictObject({
    kind: z.literal('duplicate'),
    from: z.string(),
    path: z.string(),
    sha256: z.string().optional(),
    ...unlessSame,
  }),
  /**
   * A file of the operator's machine, hash-checked on the far side, replaced atomically. Nobody holds the host meanwhile:
   * `run` keeps two that push the same file at once out of each other's way. Blocks that executables in the folders
   * `bases` have are not sent.
   */
  z.strictObject({
    kind: z.literal('push'),
    from: z.string(),
    ...place,
    sha256: z.string(),
    size: z.number(),
    run: z.string().optional(),
    bases: z.strictObject({ releases: z.string(), netops: z.string() }).optional(),
  }),
  /**
   * A file whose content is read where the operator's netops runs, when it is brought: the plan and the journal name only
   * the source. Hash-checked on the far side, replaced atomically.
   */
  z.strictObject({ kind: z.literal('provide'), source: fileSource, cwd: z.string(), ...place }),
  /** A symbolic link, switched atomically. */
  z.strictObject({ kind: z.literal('link'), path: z.string(), target: z.string() }),
  /** A file or link is gone. */
  z.strictObject({ kind: z.literal('remove'), path: z.string() }),
  /** A folder of ours and all below it are gone. */
  z.strictObject({ kind: z.literal('remove-tree'), path: z.string() }),
  /** A folder is gone if it is empty. */
  z.strictObject({ kind: z.literal('remove-empty'), path: z.string() }),
  /** The machine's service account exists. */
  z.strictObject({ kind: z.literal('account'), user: z.string() }),
  /** Kernel parameters have these values now; each is set by itself, in the order given. */
  z.strictObject({ kind: z.literal('sysctl'), values: z.record(z.string(), z.string()) }),
  /** A command that only looks, and fails the step with this code when it exits with another code than 0. */
  z.strictObject({ kind: z.literal('check'), argv: z.array(z.string()), code: z.enum(errorCodes) }),
] as const

export type HostEffect = z.infer<(typeof hostEffects)[number]>

/**
 * The folders in which an effect reads or changes something by its name: whoever else may write there could have it work on
 * something else. A folder for another account is made without following what lies in its place.
 */
export function foldersOf(effect: HostEffect): readonly string[] {
  switch (effect.kind) {
    case 'directory':
      return isTheirs(effect.owner) ? [] : [folderOf(effect.path), effect.path]
    case 'copy':
    case 'duplicate':
      return [folderOf(effect.from), folderOf(effect.path)]
    case 'push':
      return [
        folderOf(effect.path),
        ...(effect.bases === undefined ? [] : [effect.bases.releases, effect.bases.netops]),
      ]
    case 'write':
    case 'provide':
    case 'link':
    case 'remove':
    case 'remove-tree':
      return [folderOf(effect.path)]
    case 'remove-empty':
      // Whose the folder beside it is, does not matter: what is gone afterwards was empty.
      return [folderOf(folderOf(effect.path))]
    case 'account':
    case 'sysctl':
    case 'check':
      return []
  }
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

/** Whether an owner of files is an account of its own. */
export const isTheirs = (owner: string | undefined): boolean =>
  owner !== undefined && !['root', '0'].includes(owner.split(':')[0] ?? '')

const serviceEffect = z.strictObject({
  kind: z.literal('service'),
  unit: z.string(),
  action: z.enum(['start', 'stop', 'restart', 'enable', 'disable', 'reload-units', 'forget-failures']),
})
export type ServiceEffect = z.infer<typeof serviceEffect>

/** Work that the netops carrying out a host's run does itself, by its name; it notes each item and has a result. */
const work = z.strictObject({ kind: z.literal('work'), work: z.string(), input: z.json() })
export type WorkEffect = z.infer<typeof work>

/** A host procedure, run detached on the host by the netops build that lies there. */
const hostRun = z.strictObject({
  kind: z.literal('host-run'),
  run: z.string(),
  netops: z.string(),
  root: z.string(),
  input: z.json(),
})
export type HostRunEffect = z.infer<typeof hostRun>

/** What a host run did on its host is undone there, as far as undo may go. */
const undoHostRun = hostRun.omit({ input: true }).extend({ kind: z.literal('undo-host-run') })
export type UndoHostRunEffect = z.infer<typeof undoHostRun>

/** A fleet run's hold on a host: taken, kept alive by a heartbeat until it is given back. */
const fleetLease = z.strictObject({
  kind: z.literal('lease'),
  action: z.enum(['take', 'give-back']),
  run: z.string(),
  reason: z.string(),
  /** Which of the host's leases; the release's alone where it does not say. */
  leases: z.array(z.enum(leaseNames)).exactOptional(),
  /** The netops build on the host that keeps the lease. */
  netops: z.string(),
  root: z.string(),
})
export type LeaseEffect = z.infer<typeof fleetLease>

/** What a fleet run has its hosts do. */
export type RunEffect = HostRunEffect | UndoHostRunEffect | LeaseEffect

export const effect = z.discriminatedUnion('kind', [
  ...hostEffects,
  serviceEffect,
  work,
  hostRun,
  undoHostRun,
  fleetLease,
])
export type Effect = z.infer<typeof effect>

const hostKinds: ReadonlySet<string> = new Set(hostEffects.map(({ shape }) => shape.kind.value))

/** Whether it works on a host's files, accounts or kernel by itself. */
export const isHostEffect = (one: Effect): one is HostEffect => hostKinds.has(one.kind)

/**
 * Effects that put back what was there before. A step that failed is undone too, and may have changed nothing yet, for
 * want of space: then putting back must not want any either.
 */
export const puttingBack = (effects: readonly Effect[]): Effect[] =>
  effects.map((one) =>
    one.kind === 'write' || one.kind === 'copy' || one.kind === 'duplicate' ? { ...one, unlessSame: true } : one,
  )

/** A question put to the world again and again until the answer holds. */
export const probe = z.discriminatedUnion('kind', [
  /** The service runs, and its readiness address answers 200 from the expected release. */
  z.strictObject({ kind: z.literal('ready'), url: z.string(), unit: z.string(), release: z.string() }),
  /** The service has stopped. */
  z.strictObject({ kind: z.literal('stopped'), unit: z.string() }),
  /** Kernel parameters read back as these values, white space apart. */
  z.strictObject({ kind: z.literal('sysctl'), values: z.record(z.string(), z.string()) }),
  /** The service manager gives the service these limits at its next start: systemd's names, such as LimitNOFILE. */
  z.strictObject({ kind: z.literal('unit-limits'), unit: z.string(), limits: z.record(z.string(), z.string()) }),
  /** Never so: a pause is a wait for it that goes on at its deadline. */
  z.strictObject({ kind: z.literal('elapsed') }),
])
export type Probe = z.infer<typeof probe>

/** What a probe wants to see, for people: `healthy on 1.0.0`. */
export function wantedBy(asked: Probe): string {
  switch (asked.kind) {
    case 'ready':
      return `healthy on ${asked.release}`
    case 'stopped':
      return 'stopped'
    case 'sysctl':
    case 'unit-limits':
      return 'in effect'
    case 'elapsed':
      return 'the time to pass'
  }
}

export interface ProbeAnswer {
  readonly ok: boolean
  /** What was seen, for people. */
  readonly seen: string
  /** Waiting longer cannot help: the service has ended. */
  readonly hopeless?: boolean
  /** Nothing could be found out. */
  readonly unknown?: true
  /** Where to look for the reason. */
  readonly hint?: string
  /** Which start of the service answered; holding starts again when it changes. */
  readonly startId?: string | undefined
  /** How often it has been restarted by then; what happened before a wait is not held against it. */
  readonly restarts?: number
  /** From where on the service's log belongs to what was seen. */
  readonly logFrom?: string | undefined
}
