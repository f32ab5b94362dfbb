// The executables that hosts get: this netops, or from a checkout what `netops build` made.
import { isSea } from 'node:sea'
import { join, resolve } from 'node:path'
import { serverExecutable } from '../model/paths.ts'
import type { FleetContext } from './context.ts'

/** The path of the netops executable that is pushed to hosts. */
export function ownNetops({ env }: Pick<FleetContext, 'env'>): string {
  if (env.NETOPS_EXECUTABLE !== undefined) return env.NETOPS_EXECUTABLE
  return isSea() ? process.execPath : join(import.meta.dirname, '..', '..', 'build', 'netops')
}

/** Where the release lies that is to be deployed: named, or beside the netops that hosts get. */
export const releasePath = (named: string | undefined, context: Pick<FleetContext, 'env' | 'cwd'>): string =>
  named === undefined ? resolve(ownNetops(context), '..', serverExecutable) : resolve(context.cwd, named)
