// Which release is meant, and what the manifest beside it says of it.
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { buildManifest } from '../../model/manifest.ts'
import { releaseId, serverExecutable } from '../../model/paths.ts'
import type { LocalFile } from '../fleet-plan.ts'
import { readTextIfAny } from '../../system/files.ts'
import type { CommandContext } from '../../cli/command.ts'
import { localFile, manifestBeside, ownNetops } from '../../runs/fleet-run.ts'

/** An executable to deploy, and what its manifest says of it. */
export interface ReleaseFile {
  readonly file: LocalFile
  readonly version: string
  readonly id: string
  readonly platform: string | undefined
  /** Whether it answers `--check-config`. */
  readonly checksConfig: boolean
}

export interface ReleaseOptions {
  readonly release?: string | undefined
  readonly releaseVersion?: string | undefined
}

/** Where the release lies: named, or beside the netops that hosts get. */
const releasePath = ({ release }: ReleaseOptions, context: CommandContext): string =>
  release === undefined ? resolve(ownNetops(context), '..', serverExecutable) : resolve(context.cwd, release)

/** As {@link readRelease}; undefined where none is named and none was built. */
export async function readReleaseIfAny(
  options: ReleaseOptions,
  context: CommandContext,
): Promise<ReleaseFile | undefined> {
  const there = options.release !== undefined || (await isFile(releasePath(options, context)))
  return there ? readRelease(options, context) : undefined
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/**
 * Reads the release that is to be deployed.
 * @throws NetopsError `usage` when there is no such file, `damaged` when it is not what its manifest describes
 */
export async function readRelease(options: ReleaseOptions, context: CommandContext): Promise<ReleaseFile> {
  const path = releasePath(options, context)
  const file = await localFile(path)
  const text = await readTextIfAny(manifestBeside(path))
  const listed = text === undefined ? undefined : buildManifest.parse(JSON.parse(text)).executables
  const known = listed?.find((entry) => entry.name === basename(path))
  if (known !== undefined && known.sha256 !== file.sha256) {
    throw new NetopsError('damaged', {
      message: `${path} is not what its manifest.json describes: its hash is ${file.sha256}, ${known.sha256} was built`,
      hint: 'build it again: netops build',
    })
  }
  const version = options.releaseVersion ?? known?.version ?? 'unversioned'
  return {
    file,
    version,
    id: releaseId(version, file.sha256),
    platform: known?.platform,
    // Ours does; of another executable nobody knows what it makes of the flag.
    checksConfig: known !== undefined,
  }
}
