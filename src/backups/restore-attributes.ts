// What a folder is besides what it holds: mode, owner, times, extended attributes and access control lists. By GNU tar, since
// Node has no call for all of them.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import type { AnchoredFolder } from '../system/anchored-folder.ts'
import { exec } from '../system/exec.ts'

const common = ['--no-recursion', '--acls', '--xattrs', '--numeric-owner']

/** Gives a folder all that another one is, but for what that holds. */
export async function copyAttributes(from: AnchoredFolder, to: AnchoredFolder): Promise<void> {
  const isRoot = process.getuid?.() === 0
  const attributes = isRoot ? '--xattrs-include=*' : '--xattrs-include=user.*'
  const scratch = await mkdtemp(join(tmpdir(), 'netops-attributes-'))
  try {
    const file = join(scratch, 'folder.tar')
    await tar([
      '--create',
      '--file',
      file,
      '--format=posix',
      ...common,
      '--xattrs-include=*',
      '--directory',
      from.path,
      '.',
    ])
    const owner = isRoot ? '--same-owner' : '--no-same-owner'
    await tar([
      '--extract',
      '--file',
      file,
      ...common,
      attributes,
      owner,
      '--preserve-permissions',
      '--directory',
      to.path,
    ])
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function tar(words: readonly string[]): Promise<void> {
  const { code, stderr } = await exec(['tar', ...words], {
    env: { LC_ALL: 'C', TAR_OPTIONS: undefined, TAPE: undefined },
  })
  if (code === 0) return
  throw new NetopsError('failed', { message: `cannot copy a folder's attributes: ${stderr.trim().slice(0, 500)}` })
}
