// What environment a host is marked as, which a fleet file must be for.
import type { HostReader } from '../drivers/hosts/port.ts'
import { NetopsError } from '../model/errors.ts'
import { quoteCommand } from '../model/quote.ts'
import { damagedState, readStateBy } from '../model/state-text.ts'
import type { HostPaths } from '../model/paths.ts'

/**
 * What a host is marked as: production, staging; undefined where nobody marked it.
 * @throws NetopsError `damaged` for a mark that is there and says nothing: such a host may be anybody's
 */
export async function readEnvironment(reader: HostReader, paths: HostPaths): Promise<string | undefined> {
  const source = { path: paths.environment, host: reader.name, hint: markAnew(paths.environment) }
  const text = await readStateBy(source, (path) => reader.readText(path))
  const mark = text?.trim()
  if (text === undefined || mark === undefined || isMark(mark)) return mark
  throw noMark(reader.name, paths.environment)
}

/** What is thrown for a mark without a name. */
export const noMark = (host: string, path: string): NetopsError =>
  damagedState({ path, host, hint: markAnew(path) }, 'it holds no name of an environment')

const markAnew = (path: string): string =>
  `look what the host is for, then mark it anew: echo NAME > ${quoteCommand([path])}`

/** A name on one line, as a fleet file may have it. */
const isMark = (text: string): boolean => /^[^\u0000-\u001f\u007f\ufffd]{1,200}$/.test(text)

/**
 * Refuses a host of another environment.
 * @param environment what the fleet file says, if it says anything
 * @throws NetopsError `refused`
 */
export function refuseOtherEnvironment(
  host: string,
  marked: string | undefined,
  environment: string | undefined,
): void {
  if (marked === undefined || marked === environment) return
  throw new NetopsError('refused', {
    host,
    message: `the host is marked as ${marked}, and the fleet file is for ${environment ?? 'no environment'}`,
    hint: `use the fleet file of ${marked}; a host that changed hands is marked in /etc/netops/environment`,
  })
}
