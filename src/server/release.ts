// Which release is running: /health/ready names it, so that a deployment can tell the new process from the old one.
import { basename, dirname } from 'node:path'
import { NetopsError } from '../model/errors.ts'

// What may stand in an HTTP header and in a folder's name.
const plainName = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/

/**
 * The release: the folder that the executable lies in when that one lies in a folder `releases`; else `NETWORK_RELEASE`;
 * else the version.
 * @param executable the executable's real path, links resolved
 * @throws NetopsError `usage` for a NETWORK_RELEASE that cannot be a release's name
 */
export function releaseOf(
  executable: string,
  env: Readonly<Record<string, string | undefined>>,
  version: string,
): string {
  const folder = dirname(executable)
  if (basename(dirname(folder)) === 'releases' && plainName.test(basename(folder))) return basename(folder)
  const named = env.NETWORK_RELEASE
  if (named === undefined || named === '') return version
  if (plainName.test(named)) return named
  throw new NetopsError('usage', {
    message:
      'NETWORK_RELEASE: expected letters, digits and . _ + - only, at most 200 of them, the first a letter or digit',
  })
}
