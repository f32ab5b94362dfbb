import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  addBackup,
  entryPath,
  finishRemovals,
  listBackups,
  readBackup,
  removeBackup,
  updateBackup,
} from '../../../src/backups/catalogue.ts'
import { backupIdOf, parseBackupId } from '../../../src/model/backup.ts'
import { backupEntryOf } from '../../support/backups.ts'
import { quickFolder } from '../../support/scratch.ts'

async function scratchFolder(): Promise<string> {
  const folder = await quickFolder('catalogue')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const at = Date.parse('2026-11-27T02:15:00Z')

test('an id says of what kind a backup is and when it was made', () => {
  expect(backupIdOf('config', at)).toBe('config_20261127_021500')
  expect(parseBackupId('config_20261127_021500')).toEqual({ kind: 'config', atMs: at })
  expect(parseBackupId('database_20261327_021500')).toBeUndefined()
  expect(parseBackupId('../config_20261127_021500')).toBeUndefined()
})

test('lists the newest first, names what is damaged and goes on', async () => {
  const folder = join(await scratchFolder(), 'backups')
  const [older, newer] = [backupEntryOf(at), backupEntryOf(at + 60_000)]
  await addBackup(folder, older)
  await addBackup(folder, newer)
  await writeFile(join(folder, 'config_20261127_021700.json'), '{"schema":')
  await writeFile(join(folder, 'config_20261127_021800.json'), JSON.stringify(older))
  await mkdir(join(folder, 'config_20261127_021900.json'))
  await writeFile(join(folder, 'notes.txt'), 'somebody else’s')
  const { entries, damaged } = await listBackups(folder)
  expect(entries).toEqual([newer, older])
  expect(damaged.map(({ message }) => message.replace(folder, ''))).toEqual([
    '/config_20261127_021700.json is damaged: it is cut off, or no JSON',
    `/config_20261127_021800.json is damaged: it is about ${older.id}`,
    '/config_20261127_021900.json is damaged: it is a folder',
  ])
  expect((await stat(entryPath(folder, older.id))).mode & 0o777).toBe(0o600)
})

test('an entry of a newer netops is refused, not called damaged', async () => {
  const folder = await scratchFolder()
  const entry = { ...backupEntryOf(at), schema: 'netops/backup/v2', more: true }
  await writeFile(entryPath(folder, entry.id), JSON.stringify(entry))
  expect((await listBackups(folder)).damaged.map(({ code }) => code)).toEqual(['refused'])
})

test('nothing is entered twice, and what is not there is said so', async () => {
  const folder = await scratchFolder()
  const entry = backupEntryOf(at)
  await addBackup(folder, entry)
  await expect(addBackup(folder, entry)).rejects.toThrow(/is there already/)
  await expect(readBackup(folder, 'config_20200101_000000')).rejects.toThrow(
    'there is no backup config_20200101_000000',
  )
  await expect(readBackup(folder, '../../etc/passwd')).rejects.toThrow('there is no backup')
})

test('an update keeps what it does not change', async () => {
  const folder = await scratchFolder()
  const entry = backupEntryOf(at)
  await addBackup(folder, entry)
  const verified = { at: '2026-11-27T03:00:00.000Z', how: 'stored', share: 1 } as const
  expect(await updateBackup(folder, entry.id, (old) => ({ ...old, verified }))).toEqual({ ...entry, verified })
  expect(await readBackup(folder, entry.id)).toEqual({ ...entry, verified })
})

test('a removal takes the archive and its two files, also where it was cut off', async () => {
  const folder = join(await scratchFolder(), 'backups')
  const archives = await scratchFolder()
  const [one, two, kept] = [0, 1, 2].map((n) => backupEntryOf(at + n * 1000, { folder: archives }))
  for (const entry of [one, two, kept]) {
    if (entry === undefined) continue
    await addBackup(folder, entry)
    for (const file of [entry.file, `${entry.id}.index.gz`, `${entry.id}.manifest.json`]) {
      await writeFile(join(archives, file), '')
    }
  }
  await removeBackup(folder, one?.id ?? '')
  await rename(entryPath(folder, two?.id ?? ''), join(folder, `${two?.id}.removing.json`))
  await rm(join(archives, `${two?.id}.manifest.json`))
  expect((await listBackups(folder)).entries).toEqual([kept])
  expect(await finishRemovals(folder)).toEqual([two?.id])
  expect(await readdir(folder)).toEqual([`${kept?.id}.json`])
  expect((await readdir(archives)).sort()).toEqual(
    [kept?.file, `${kept?.id}.index.gz`, `${kept?.id}.manifest.json`].toSorted(),
  )
})
