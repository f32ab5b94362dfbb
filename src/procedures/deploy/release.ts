// Which release is meant, and what the manifest beside it says of it.
import { basename, dirname, join } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { buildManifest } from '../../model/manifest.ts'
import { releaseId } from '../../model/paths.ts'
import type { ProgramNeeds } from '../../model/program-needs.ts'
import type { ReleaseTraits } from '../../model/release-traits.ts'
import { putAside } from '../../model/state-text.ts'
import { isFile } from '../../system/files.ts'
import { readProgramNeeds } from '../../system/executable.ts'
import { readLocalFile, type LocalFile } from '../../system/local-file.ts'
import { readState } from '../../system/state-file.ts'

/** An executable to deploy, and what its manifest says of it. */
export interface ReleaseFile {
  readonly file: LocalFile
  readonly version: string
  readonly id: string
  readonly platform: string | undefined
  readonly needs: ProgramNeeds
  /** Whether it answers `--check-config`. */
  readonly checksConfig: boolean
  /** What its manifest says of it. */
  readonly traits: ReleaseTraits
}

/** As {@link readRelease}; undefined where there is no such file. */
export async function readReleaseIfAny(path: string): Promise<ReleaseFile | undefined> {
  return (await isFile(path)) ? readRelease(path) : undefined
}

/**
 * Reads the release that is to be deployed.
 * @param version what it is called where nothing else says so
 * @throws NetopsError `usage` when there is no such file, `damaged` when it is not what its manifest describes, `refused`
 * when no host could execute it
 */
export async function readRelease(path: string, version?: string): Promise<ReleaseFile> {
  const file = await readLocalFile(path)
  const manifest = join(dirname(path), 'manifest.json')
  const hint = `build it again: netops build; or ${putAside(manifest)}, and the release is one without a version`
  const listed = await readState(buildManifest, { path: manifest, hint })
  const known = listed?.executables.find((entry) => entry.name === basename(path))
  if (known !== undefined && known.sha256 !== file.sha256) {
    throw new NetopsError('damaged', {
      message: `${path} is not what its manifest.json describes: its hash is ${file.sha256}, ${known.sha256} was built`,
      hint: 'build it again: netops build',
    })
  }
  const needs = await readProgramNeeds(path)
  const named = version ?? known?.version ?? 'unversioned'
  return {
    file,
    version: named,
    id: releaseId(named, file.sha256),
    platform: known?.platform,
    needs,
    // Ours does; of another executable nobody knows what it makes of the flag.
    checksConfig: known !== undefined,
    traits: known?.traits ?? {},
  }
}
