// What a restore is to do, as plain data: decided from facts before anything is touched, and kept in the run's journal.
import * as z from 'zod'
import { isWithin } from '../archive/names.ts'
import { sha256Hex } from '../model/sha256.ts'

/** Names are relative to the root folder; as everywhere in archives, of one character a byte. */
const name = z.string().min(1)
const dataVersion = z.int().min(1)

export const restoreTask = z.strictObject({
  /** The run, by which the folders for it are named. */
  run: z.string(),
  /** The folder that everything lies below. */
  base: z.string().startsWith('/'),
  archive: z.strictObject({ folder: z.string().startsWith('/'), name: z.string(), manifestSha256: sha256Hex }),
  /** What is restored, with all below it. */
  tops: z.array(name).min(1),
  /**
   * Folders in which a folder for the restore is made: each on one file system, so that what lies below it and in no deeper one
   * of these can be put in place by rename(2).
   */
  places: z.array(z.string()).min(1),
  /** What on the disk is left alone, as patterns for a walk. */
  leave: z.array(z.string()),
  /** The checkpoint that becomes the database; null where the database stays as it is. */
  database: z
    .strictObject({
      /** The folder of the service's data. */
      folder: name,
      checkpoint: name,
      bytes: z.int().nonnegative(),
      /** The data schemas that the installed release reads; null where none is installed, and the file is put in place as it is. */
      reads: z.strictObject({ from: dataVersion, to: dataVersion }).nullable(),
    })
    .nullable(),
})
export type RestoreTask = z.infer<typeof restoreTask>

/** The folder that a restore keeps in each of its places. */
export const workName = (run: string): string => `.netops-restore-${run}`

/** What a walk leaves out wherever it lies: what this restore, and one that was given up, have made. */
export const workPattern = '.netops-restore-*'

/** The place to which a name belongs: the deepest that it lies below, or is where it lies below none. */
export function placeOf(places: readonly string[], wanted: string): string {
  const above = places.filter((place) => isWithin(wanted, place)).toSorted((a, b) => b.length - a.length)
  const found = above.find((place) => place !== wanted) ?? above[0]
  if (found === undefined) throw new TypeError(`${wanted} lies in no place of this restore`)
  return found
}

/** Whether a name is restored with all below it, lies on the way to one that is, or has nothing to do with it. */
export function wantedOf(tops: readonly string[], found: string): 'whole' | 'way' | 'no' {
  if (tops.some((top) => isWithin(found, top))) return 'whole'
  return tops.some((top) => isWithin(top, found)) ? 'way' : 'no'
}

/** What is unpacked in a place: that much of what is wanted as belongs there. */
export function topsIn({ tops, places }: Pick<RestoreTask, 'tops' | 'places'>, place: string): readonly string[] {
  // A place within something that is wanted: all below it.
  if (place !== '' && tops.some((top) => isWithin(place, top))) return [place]
  return tops.filter((top) => placeOf(places, top) === place)
}
