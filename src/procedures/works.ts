// All work that effects can ask for.
import { NetopsError } from '../model/errors.ts'
import { baseBackup } from './base-backup/work.ts'
import { restoringDatabase } from './database-restore/host-procedure.ts'
import { archiveWork } from './backup/archive.ts'
import { checkpointWork } from './backup/checkpoint.ts'
import { copyWork } from './backup-copy/copy.ts'
import { concludeWork } from './backup/conclude.ts'
import { expireWork } from './backup/expire.ts'
import { verifyWork } from './backup/verify.ts'
import { judgeWork } from './backup-verify/judge.ts'
import { drillWork } from './drill/work.ts'
import { removeTrees } from './gc/remove-trees.ts'
import { alterSystem, awaitLog, changeSlot, writePassfile } from './wal-archive/works.ts'
import { expireWal } from './wal-expire/expiry.ts'
import { clearWork, databaseWork, putBackWork, stageWork, swapWork } from './restore/works.ts'
import type { AnyWork } from './work.ts'

export const works: readonly AnyWork[] = [
  removeTrees,
  writePassfile,
  changeSlot,
  alterSystem,
  awaitLog,
  baseBackup,
  restoringDatabase,
  expireWal,
  ...[checkpointWork, archiveWork, verifyWork, expireWork, copyWork, concludeWork, judgeWork],
  ...[stageWork, swapWork, databaseWork, putBackWork, clearWork, drillWork],
]

/** @throws NetopsError `refused` for a name that this netops does not know */
export function workNamed(name: string): AnyWork {
  const found = works.find((work) => work.name === name)
  if (found !== undefined) return found
  throw new NetopsError('refused', { message: `there is no work ${name} in this netops`, hint: 'use the newer netops' })
}
