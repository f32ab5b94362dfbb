// Copies backups elsewhere, one after the other, to each place; one that fails keeps no other from being copied.
import * as z from 'zod'
import { listBackups } from '../../backups/catalogue.ts'
import { copyBackup, hasCopy, type CopyMade } from '../../backups/offsite/copy.ts'
import { begunCopies, removeSpool } from '../../backups/offsite/spool.ts'
import type { OpenPlace } from '../../drivers/storage/port.ts'
import { backupId, isGood, type BackupEntry } from '../../model/backup.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { messageOf, NetopsError, type ErrorCode } from '../../model/errors.ts'
import { offsiteRequest } from '../../model/offsite.ts'
import { quoteCommand } from '../../model/quote.ts'
import { defineWork, type WorkTools } from '../work.ts'

const input = z.strictObject({
  root: z.string(),
  catalogue: z.string(),
  /** The folder for archives. */
  folder: z.string(),
  /** These, and what was begun before. */
  ids: z.array(backupId),
  offsite: offsiteRequest,
  /** They were made in the same run: what is not copied leaves it done in part. */
  made: z.literal('in this run').exactOptional(),
})
type CopyInput = z.infer<typeof input>

export const copyWork = defineWork({
  name: 'backup-copy',
  input,
  changes: true,
  show: ({ ids, offsite: { places, as, recipients } }) =>
    places.flatMap((place) =>
      ids.map(
        (id) => `(${recipients.length === 0 ? '' : 'encrypt and '}copy ${id} to ${quoteCommand([`${place}/${as}`])})`,
      ),
    ),
  async run(wanted, tools) {
    const chosen = await choose(wanted)
    const total = chosen.reduce((sum, { bytes }) => sum + bytes, 0) * wanted.offsite.places.length
    const copied: Copied[] = []
    const failures: Failure[] = []
    let before = 0
    for (const address of wanted.offsite.places) {
      const place = await tools.openPlace({
        ...{ address, s3: wanted.offsite.s3, root: wanted.root },
        isEncrypted: wanted.offsite.recipients.length > 0,
      })
      try {
        for (const entry of chosen) {
          if (tools.signal.aborted) break
          const onBytes = (done: number): void => tools.progress(before + done, total, 'bytes')
          const outcome = await copyOne({ wanted, entry, address }, { place, tools, onBytes })
          if (outcome !== undefined) {
            if ('error' in outcome) failures.push(outcome)
            else copied.push(outcome)
          }
          before += entry.bytes
        }
      } finally {
        await place.close()
      }
    }
    if (tools.signal.aborted) return resultOf(copied)
    await clear(wanted, chosen)
    if (failures.length > 0) throw failed(failures, copied.length > 0 || wanted.made !== undefined)
    return resultOf(copied)
  },
})

// As the journal holds it: the types of configuration are read-only, those of JSON are not.
export const copying = (wanted: CopyInput): WorkEffect => ({
  ...{ kind: 'work', work: copyWork.name, input: z.json().parse(wanted) },
})

const resultOf = (copied: readonly Copied[]) => ({ copied: copied.map((one) => ({ ...one })) })

type Copied = CopyMade & { readonly id: string; readonly to: string }
interface Failure {
  readonly id: string
  readonly to: string
  readonly error: unknown
}

async function copyOne(
  { wanted, entry, address }: { readonly wanted: CopyInput; readonly entry: BackupEntry; readonly address: string },
  {
    place,
    tools,
    onBytes,
  }: { readonly place: OpenPlace; readonly tools: WorkTools; readonly onBytes: (done: number) => void },
): Promise<Copied | Failure | undefined> {
  const { catalogue, offsite } = wanted
  const key = `${entry.id} ${address}`
  const about = { id: entry.id, to: address }
  if (tools.isDone(key)) return undefined
  try {
    const made = await copyBackup(
      { catalogue, entry, address, host: offsite.as, recipients: offsite.recipients },
      { place, signal: tools.signal, onBytes, now: () => new Date() },
    )
    tools.done(key)
    return { ...about, ...made }
  } catch (error) {
    if (tools.signal.aborted) return undefined
    return { ...about, error }
  }
}

/** What is asked for, and what was begun before: that is not left half way. */
async function choose({ catalogue, folder, ids }: CopyInput): Promise<readonly BackupEntry[]> {
  const { entries } = await listBackups(catalogue)
  const begun = await begunCopies(folder)
  return entries.filter((entry) => ids.includes(entry.id) || (begun.includes(entry.id) && isGood(entry)))
}

/** Removes what was on its way and is there by now, or belongs to no backup any more. */
async function clear(
  { catalogue, folder, offsite: { places } }: CopyInput,
  chosen: readonly BackupEntry[],
): Promise<void> {
  const { entries } = await listBackups(catalogue)
  for (const id of await begunCopies(folder)) {
    const entry = entries.find((one) => one.id === id)
    const isThere = entry !== undefined && places.every((place) => hasCopy(entry, place))
    if (entry === undefined || !isGood(entry) || (isThere && chosen.some((one) => one.id === id))) {
      await removeSpool(folder, id)
    }
  }
}

function failed(failures: readonly Failure[], isPart: boolean): NetopsError {
  const [first] = failures
  const known = first?.error instanceof NetopsError ? first.error : undefined
  const code: ErrorCode = isPart ? 'partly' : (known?.code ?? 'failed')
  return new NetopsError(code, {
    message: [
      ...failures.map(({ id, to, error }) => `${id} was not copied to ${to}: ${messageOf(error)}`),
      'the backups themselves are on the host as they were',
    ].join('\n'),
    hint: `${known?.hint === undefined ? '' : `${known.hint}; then: `}netops backup copy --missing`,
    cause: first?.error,
  })
}
