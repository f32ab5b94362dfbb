// What a restore would come to: what it would replace, add and remove, what would be lost, and where it has to work. Reads alone.
import { linesIn } from '../archive/slab.ts'
import { lstatSync, statSync } from 'node:fs'
import * as z from 'zod'
import { indexOf, type LastArchive } from '../archive/last-pieces.ts'
import { entryOf } from '../archive/entries.ts'
import { manifestHash, readManifest, type Manifest } from '../archive/manifest.ts'
import { bytesOf, folderOf, isWithin, nameOfText, shownName } from '../archive/names.ts'
import { mountPoints } from '../archive/walk.ts'
import { takenAt } from '../model/checkpoint.ts'
import { NetopsError } from '../model/errors.ts'
import { dataFolder, databaseName, liveFiles } from './live-files.ts'
import { topsOf } from './restore-choice.ts'
import { compare, listed } from './restore-lists.ts'
import { wantedOf } from './restore-task.ts'

const count = z.int().nonnegative()

export const restoreLook = z.strictObject({
  archive: z.strictObject({ folder: z.string(), name: z.string(), manifestSha256: z.string() }),
  /** When the walk for it began. */
  madeAt: z.iso.datetime(),
  /** What the archive was made of and something is wanted of, what is wanted, and where it is worked on: names. */
  roots: z.array(z.string()),
  tops: z.array(z.string()),
  places: z.array(z.string()),
  leave: z.array(z.string()),
  /** Absolute folders above the places that are not there, in the order of making. */
  missing: z.array(z.string()),
  replaced: listed,
  added: listed,
  removed: listed,
  /** How much is the same but perhaps for extended attributes and access control lists: it is replaced too. */
  unsure: count,
  /** What stays though it lies below what is restored. */
  leftAlone: listed,
  /** Of what the archive should have and has not. */
  troubles: z.array(z.string()),
  lost: z.strictObject({
    /** What was written since the backup and is replaced or removed. */
    files: listed,
    /** Checkpoints that are newer than the archive's. */
    checkpoints: count,
    /** When the database was last written to; null where none is replaced. */
    databaseWrittenAt: z.iso.datetime().nullable(),
  }),
  /** The newest checkpoint of the archive that is restored; null where none is. */
  checkpoint: z.strictObject({ name: z.string(), takenAt: z.iso.datetime(), bytes: count }).nullable(),
  /** Whether the archive's state is restored, and whether its configuration file is. */
  isState: z.boolean(),
  isConfig: z.boolean(),
  /** Absolute paths of the host that are restored and hold a file: of those that a configuration may name. */
  files: z.array(z.string()),
  bytes: count,
})
export type RestoreLook = z.infer<typeof restoreLook>

export interface LookRequest {
  /** The folder that everything lies below. */
  readonly base: string
  readonly folder: string
  readonly name: string
  readonly only: readonly string[]
}

export interface LookRequest {
  /** The folder that everything lies below. */
  readonly base: string
  readonly folder: string
  readonly name: string
  /** `config`, `state` or absolute paths of the host; everything where there are none. */
  readonly only: readonly string[]
}

const configFile = 'etc/network_system/config.yaml'

/**
 * Looks at an archive and the disk.
 * @throws NetopsError `damaged` where the archive's manifest or index is, `failed` where it has nothing of what is wanted,
 * `refused` where it cannot be restored in place
 */
export async function lookAtRestore({ base, folder, name, only }: LookRequest): Promise<RestoreLook> {
  const place = { folder, name }
  const manifest = await readManifest(place)
  const archive = { place, manifest }
  const tops = [...topsOf(only, manifest.roots)]
  const ground: Ground = { base: nameOfText(base === '/' ? '' : base), mounts: mountPoints() }
  const roots = manifest.roots.map(nameOfText).filter((root) => wantedOf(tops, root) !== 'no')
  for (const root of roots) refuseLink(`${ground.base}/${root}`)
  const found = await scan(archive, tops, ground)
  if (found.entries === 0) {
    throw new NetopsError('failed', {
      message: `${name} has nothing of ${only.join(', ')}: it has ${manifest.roots.join(', ')}`,
    })
  }
  const places = [...new Set([...roots.map((root) => placeOfRoot(root, ground)), ...found.places])]
  const leave = [...manifest.exclude, ...liveFiles, ...leftThen(manifest)]
  const { newer, ...lists } = await compare(archive, { base, tops, places, leave })
  const isState = tops.some((top) => isWithin(dataFolder, top))
  const checkpoint = isState ? found.checkpoint : null
  return {
    archive: { ...place, manifestSha256: await manifestHash(place) },
    madeAt: manifest.begun,
    ...{ roots, tops, places, leave, missing: missingAbove(places, ground.base) },
    replaced: lists.replaced,
    added: lists.added,
    removed: lists.removed,
    unsure: lists.unsure,
    leftAlone: lists.leftAlone,
    troubles: manifest.troubles.map(({ name: shown, what }) => `${shown} (${what})`),
    lost: {
      files: lists.lost,
      checkpoints: newer.filter((at) => checkpoint === null || at > Date.parse(checkpoint.takenAt)).length,
      databaseWrittenAt: checkpoint === null ? null : writtenAt(`${ground.base}/${dataFolder}/${databaseName}`),
    },
    checkpoint,
    ...{ isState, isConfig: found.hasConfig, files: found.files, bytes: found.bytes },
  }
}

interface Ground {
  /** The folder that everything lies below, without a slash at its end. */
  readonly base: string
  readonly mounts: ReadonlySet<string>
}

/** A link's target is somewhere else, and may be shared: it is not swapped. */
function refuseLink(path: string): void {
  if (lstatSync(bytesOf(path), { throwIfNoEntry: false })?.isSymbolicLink() !== true) return
  throw new NetopsError('refused', {
    message: `${shownName(path)} is a symbolic link, and what it leads to cannot be replaced by renaming; nothing was touched`,
    hint: 'unpack the archive elsewhere: netops restore --to DIR',
  })
}

/** Beside what was archived; in it where a file system is mounted there, which cannot be renamed. */
const placeOfRoot = (root: string, { base, mounts }: Ground): string =>
  mounts.has(`${base}/${root}`) ? root : folderOf(root)

/** What was not in the archive on purpose or by accident is on the disk, if at all, what it was: it is not removed. */
function leftThen({ name, leftOut, troubles, unlisted }: Manifest): readonly string[] {
  if (unlisted.troubles > 0) {
    throw new NetopsError('refused', {
      message: `${name} lacks ${unlisted.troubles} files more than it lists: what is not in it cannot be told from what was made since`,
      hint: 'unpack it elsewhere: netops restore --to DIR',
    })
  }
  const unread = troubles.filter(({ what }) => what === 'unreadable')
  return [...leftOut.filter(({ why }) => why !== 'excluded'), ...unread].map((one) => one.name)
}

const missingAbove = (places: readonly string[], base: string): string[] =>
  [...new Set(places.flatMap((place) => place.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))))]
    .filter((name) => name !== '' && statSync(bytesOf(`${base}/${name}`), { throwIfNoEntry: false }) === undefined)
    .map((name) => Buffer.from(`${base}/${name}`, 'latin1').toString('utf8'))

const writtenAt = (database: string): string | null => {
  const times = ['', '-wal'].flatMap(
    (ending) => statSync(bytesOf(`${database}${ending}`), { throwIfNoEntry: false })?.mtimeMs ?? [],
  )
  return times.length === 0 ? null : new Date(Math.max(...times)).toISOString()
}

interface Scanned {
  readonly entries: number
  readonly bytes: number
  readonly checkpoint: RestoreLook['checkpoint']
  readonly hasConfig: boolean
  readonly files: string[]
  /** Where file systems are mounted on folders in which the archive has something. */
  readonly places: readonly string[]
}

// A configuration names a handful of files; a folder of keys has some dozens.
const mostFiles = 1000

/** Goes through the archive's index. */
async function scan(archive: LastArchive, tops: readonly string[], { base, mounts }: Ground): Promise<Scanned> {
  const below = [...mounts].flatMap((mount) => (mount.startsWith(`${base}/`) ? [mount.slice(base.length + 1)] : []))
  const roots = archive.manifest.roots.map(nameOfText)
  const inside = below.filter((mount) => roots.some((root) => mount !== root && isWithin(mount, root)))
  const places = new Set<string>()
  const files: string[] = []
  let [entries, bytes, hasConfig] = [0, 0, false]
  let checkpoint: RestoreLook['checkpoint'] = null
  for await (const { text } of indexOf(archive).slabs()) {
    for (const { name, kind, size, sparse } of linesIn(text).map(entryOf)) {
      if (wantedOf(tops, name) !== 'whole') continue
      entries += 1
      bytes += sparse === true ? 0 : size
      for (const mount of inside) if (name !== mount && isWithin(name, mount)) places.add(mount)
      if (kind !== 'file') continue
      if (name === configFile) hasConfig = true
      if (name.startsWith('etc/') && files.length < mostFiles)
        files.push(`/${Buffer.from(name, 'latin1').toString('utf8')}`)
      const takenMs =
        folderOf(name) === `${dataFolder}/checkpoints` ? takenAt(name.slice(name.lastIndexOf('/') + 1)) : undefined
      if (takenMs !== undefined && takenMs > Date.parse(checkpoint?.takenAt ?? '1970-01-01')) {
        checkpoint = { name, takenAt: new Date(takenMs).toISOString(), bytes: size }
      }
    }
  }
  return { entries, bytes, checkpoint, hasConfig, files, places: [...places] }
}
