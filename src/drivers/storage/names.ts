// Names are checked where they come in, before any of them becomes a path or an address.
import { NetopsError } from '../../model/errors.ts'
import { faultOfObjectName, faultOfPrefix } from '../../model/object-name.ts'

/** @throws NetopsError `usage` for a name that no object may have */
export function checkName(name: string): void {
  refuse(name, faultOfObjectName(name))
}

/** @throws NetopsError `usage` for what no object's name can begin with */
export function checkPrefix(prefix: string): void {
  refuse(prefix, faultOfPrefix(prefix))
}

function refuse(name: string, expected: string | undefined): void {
  if (expected === undefined) return
  throw new NetopsError('usage', { message: `expected ${expected}, not ${JSON.stringify(name.slice(0, 100))}` })
}
