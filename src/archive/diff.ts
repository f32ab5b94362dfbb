// What has become different on the disk since an archive was made: what restoring it would change.
import { createHash } from 'node:crypto'
import { createReadStream, readlinkSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { indexOf, type LastArchive } from './last-pieces.ts'
import { entryOf, type Entry, type Seen } from './entries.ts'
import { compareNames, pathOf } from './names.ts'
import { linesIn } from './slab.ts'
import { TarScanner } from './tar-scanner.ts'
import { writeTar } from './tar-source.ts'
import { walk, type WalkNotes, type WalkRequest } from './walk.ts'

/** One difference. `added` is on the disk alone, `removed` in the archive alone. */
export type Difference =
  | { readonly kind: 'added'; readonly name: string; readonly now: Seen }
  | { readonly kind: 'removed'; readonly name: string; readonly then: Entry }
  | {
      readonly kind: 'changed'
      readonly name: string
      readonly then: Entry
      readonly now: Seen
      readonly what: readonly Change[]
    }

/** `attributes`: extended attributes and access control lists may be others, of which lstat(2) tells only that something is. */
export type Change = 'type' | 'content' | 'mode' | 'owner' | 'time' | 'target' | 'attributes'

/**
 * Compares an archive with the disk, in the order of names. A file of the same size and times as in the archive, but with another
 * time of change or inode, is read: it may have been restored, or changed in secret.
 * @param request where to look, as when it was made
 * @param how whether what may differ in its attributes alone is a difference too
 * @throws NetopsError `damaged` where the index is
 */
export async function* differences(
  archive: LastArchive,
  request: WalkRequest,
  notes: WalkNotes,
  how: 'sure' | 'unsure too' = 'sure',
): AsyncGenerator<Difference, void, undefined> {
  const then = archived(archive)
  let old = await then.next()
  for (const now of walk(request, notes, BigInt(Number.MAX_SAFE_INTEGER) * 1_000_000n)) {
    for (; old.done !== true && compareNames(old.value.name, now.name) < 0; old = await then.next()) {
      yield { kind: 'removed', name: old.value.name, then: old.value }
    }
    if (old.done === true || old.value.name !== now.name) {
      yield { kind: 'added', name: now.name, now }
      continue
    }
    const what = isSame(old.value, now) ? [] : await changes(old.value, now, request.base)
    if (what.length > 0) yield { kind: 'changed', name: now.name, then: old.value, now, what }
    else if (how === 'unsure too' && !isSame(old.value, now)) {
      yield { kind: 'changed', name: now.name, then: old.value, now, what: ['attributes'] }
    }
    old = await then.next()
  }
  for (; old.done !== true; old = await then.next()) yield { kind: 'removed', name: old.value.name, then: old.value }
}

async function* archived(archive: LastArchive): AsyncGenerator<Entry, void, undefined> {
  for await (const { text } of indexOf(archive).slabs()) for (const line of linesIn(text)) yield entryOf(line)
}

/** Nothing has changed at all, as far as the file system tells: then its inode was not touched either. */
const isSame = (then: Entry, now: Seen): boolean =>
  then.kind === now.kind &&
  then.settled &&
  then.ctime === now.ctime &&
  then.inode === now.inode &&
  then.device === now.device

async function changes(then: Entry, now: Seen, base: string): Promise<readonly Change[]> {
  if (then.kind !== now.kind) return ['type']
  const path = pathOf(`${base.endsWith('/') ? base : `${base}/`}${now.name}`)
  const found: Change[] = []
  if (then.mode !== now.mode) found.push('mode')
  if (then.uid !== now.uid || then.gid !== now.gid) found.push('owner')
  if (then.mtime !== now.mtime) found.push('time')
  if (now.kind === 'link' && readlinkSync(path, 'latin1') !== then.target) found.push('target')
  if (now.kind === 'hardlink' && now.target !== then.target) found.push('target')
  if (now.kind === 'file') {
    if (then.size !== now.size) found.push('content')
    else if (then.sha256 !== (then.sparse === true ? await sha256OfParts(now, base) : await sha256Of(path))) {
      found.push('content')
    }
  }
  return found
}

async function sha256Of(path: string | Buffer): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

/** As in an archive: of the map of a sparse file's parts, and these (entries.ts). */
async function sha256OfParts(now: Seen, base: string): Promise<string> {
  const hash = createHash('sha256')
  const scanner = new TarScanner({ entry: () => undefined, data: (bytes) => hash.update(bytes), over: () => undefined })
  await writeTar({ base, entries: [now], onBytes: (bytes) => scanner.push(bytes) })
  return hash.digest('hex')
}
