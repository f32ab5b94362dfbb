// Which backup is meant, and what of it. Pure, but for what lies in a folder.
import { nameOfText } from '../archive/names.ts'
import { isGood, parseBackupId, type BackupEntry } from '../model/backup.ts'
import { NetopsError } from '../model/errors.ts'
import { listIfAny } from '../system/files.ts'
import { dataFolder } from './live-files.ts'

/** An archive that can be restored: of the catalogue, or found in a folder. */
export interface Candidate {
  readonly id: string
  readonly folder: string
  /** In ms since 1970. */
  readonly madeMs: number
  /** What the catalogue says of it. */
  readonly entry: BackupEntry | undefined
}

/** Backups of files, of a catalogue; the newest first. */
export const inCatalogue = (entries: readonly BackupEntry[]): readonly Candidate[] =>
  entries
    .filter(({ kind }) => kind === 'config')
    .map((entry) => ({ id: entry.id, folder: entry.folder, madeMs: Date.parse(entry.madeAt), entry }))

const manifestEnding = '.manifest.json'

/** Archives in a folder, the newest first, where there is no catalogue of them. */
export async function inFolder(folder: string): Promise<readonly Candidate[]> {
  const ids = (await listIfAny(folder)).flatMap((name) =>
    name.endsWith(manifestEnding) ? [name.slice(0, -manifestEnding.length)] : [],
  )
  return ids
    .flatMap((id): readonly Candidate[] => {
      const found = parseBackupId(id)
      return found?.kind === 'config' ? [{ id, folder, madeMs: found.atMs, entry: undefined }] : []
    })
    .toSorted((a, b) => b.madeMs - a.madeMs)
}

/**
 * @param which an id, `latest`, or a time: then the newest that was made by then
 * @param candidates the newest first
 * @throws NetopsError `failed` where there is none, `damaged` where the one that is named was found damaged
 */
export function chooseBackup(which: string, candidates: readonly Candidate[], where: string): Candidate {
  const isUsable = ({ entry }: Candidate): boolean => entry === undefined || entry.damage === null
  const named = candidates.find(({ id }) => id === which)
  if (named !== undefined) {
    const [fault] = named.entry?.damage?.what ?? []
    if (fault === undefined) return named
    throw new NetopsError('damaged', {
      message: `${named.id} was found damaged: ${fault}`,
      hint: 'choose another one: netops backup list',
    })
  }
  const until = which === 'latest' ? Infinity : timeIn(which)
  if (until === undefined) {
    const known = parseBackupId(which) === undefined
    throw new NetopsError(known ? 'usage' : 'failed', {
      message: known
        ? `${which}: expected the id of a backup, latest, or a time such as 2026-11-27T02:00:00Z`
        : `there is no backup ${which} in ${where}`,
      hint: listHint(candidates),
    })
  }
  const found = candidates.filter(isUsable).find(({ madeMs }) => madeMs <= until)
  if (found !== undefined) return found
  throw new NetopsError('failed', {
    message: which === 'latest' ? `there is no backup in ${where}` : `no backup in ${where} was made by ${which}`,
    hint: listHint(candidates),
  })
}

const listHint = (candidates: readonly Candidate[]): string =>
  candidates.length === 0
    ? 'make one: netops backup; or name the folder that has archives: --from FOLDER'
    : `there are ${candidates
        .slice(0, 5)
        .map(({ id }) => id)
        .join(', ')}${candidates.length > 5 ? ` and ${candidates.length - 5} more` : ''}`

/** A time, by UTC unless it says otherwise; a day alone means its end. In ms since 1970. */
function timeIn(text: string): number | undefined {
  const [, day, time = 'T23:59:59.999', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text) ?? []
  const at = day === undefined ? NaN : Date.parse(`${day}${time.replace(' ', 'T')}${zone}`)
  return Number.isNaN(at) ? undefined : at
}

/** How sure it is that an archive is whole, for people. */
export function proofOf(entry: BackupEntry | undefined): string {
  if (entry === undefined) return 'in no catalogue'
  if (entry.verified === null) return 'never verified'
  return isGood(entry) ? `verified ${entry.verified.at}` : `partly verified ${entry.verified.at}`
}

/**
 * The names of what is restored.
 * @param only `config`, `state`, or absolute paths of the host; everything where there are none
 * @param roots what the archive was made of
 * @throws NetopsError `usage` for what is no path, `failed` where the archive has nothing of it
 */
export function topsOf(only: readonly string[], roots: readonly string[]): readonly string[] {
  if (only.length === 0) return roots.map(nameOfText)
  const found = only.flatMap((word) => {
    if (word === 'config') return roots.filter((root) => root.startsWith('etc/'))
    if (word === 'state') return roots.filter((root) => root === dataFolder || root.startsWith(`${dataFolder}/`))
    if (!/^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+\/?$/.test(word)) {
      throw new NetopsError('usage', {
        message: `--only ${word}: expected config, state or an absolute path without ..`,
      })
    }
    return [word.replace(/^\/|\/$/g, '')]
  })
  if (found.length > 0) return [...new Set(found.map(nameOfText))]
  throw new NetopsError('failed', {
    message: `the archive has nothing of ${only.join(', ')}: it has ${roots.join(', ')}`,
  })
}
