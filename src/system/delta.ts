// What of a file lies in other files already, block by block, and what is left to be sent. Pure.
import { blockSize, type Blocks } from './blocks.ts'

/** A stretch of the new file: where a base holds it, or where it stands in the new file itself. */
export type Run =
  | { readonly kind: 'copy'; readonly base: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'data'; readonly offset: number; readonly length: number }

/** The new file from its beginning to its end as runs, as few as consecutive blocks allow. */
export function matchBlocks(wanted: Blocks, bases: readonly Blocks[]): readonly Run[] {
  const known = new Map<string, Place>()
  for (const [base, { hashes }] of bases.entries()) {
    for (const [block, hash] of hashes.entries()) if (!known.has(hash)) known.set(hash, { base, block })
  }
  const runs: Run[] = []
  let last: Place | undefined
  for (const [block, hash] of wanted.hashes.entries()) {
    // Blocks of zeroes are everywhere: the one after the last keeps a run whole.
    const next = last && { base: last.base, block: last.block + 1 }
    const found = next !== undefined && bases[next.base]?.hashes[next.block] === hash ? next : known.get(hash)
    const offset = block * blockSize
    const length = Math.min(blockSize, wanted.size - offset)
    if (found === undefined) addData(runs, offset, length)
    else addCopy(runs, found, length)
    last = found
  }
  return runs
}

interface Place {
  readonly base: number
  readonly block: number
}

function addData(runs: Run[], offset: number, length: number): void {
  const before = runs.at(-1)
  if (before?.kind === 'data') runs[runs.length - 1] = { ...before, length: before.length + length }
  else runs.push({ kind: 'data', offset, length })
}

function addCopy(runs: Run[], { base, block }: Place, length: number): void {
  const before = runs.at(-1)
  const offset = block * blockSize
  if (before?.kind === 'copy' && before.base === base && before.offset + before.length === offset) {
    runs[runs.length - 1] = { ...before, length: before.length + length }
  } else runs.push({ kind: 'copy', base, offset, length })
}

/** How many bytes of the new file no base has. */
export const dataIn = (runs: readonly Run[]): number =>
  runs.reduce((sum, run) => (run.kind === 'data' ? sum + run.length : sum), 0)
