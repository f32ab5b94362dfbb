// All work that effects can ask for.
import { NetopsError } from '../model/errors.ts'
import { removeTrees } from './gc/remove-trees.ts'
import type { AnyWork } from './work.ts'

const works: readonly AnyWork[] = [removeTrees]

/** @throws NetopsError `refused` for a name that this netops does not know */
export function workNamed(name: string): AnyWork {
  const found = works.find((work) => work.name === name)
  if (found !== undefined) return found
  throw new NetopsError('refused', { message: `there is no work ${name} in this netops`, hint: 'use the newer netops' })
}
