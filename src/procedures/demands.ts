// What a plan asks of the places that it works on: what may lie there, how much room it takes, what runs from there. Pure.
import { dirname, isAbsolute, resolve } from 'node:path'
import type { Effect } from '../model/effects.ts'
import type { Step } from '../model/plan.ts'

/** What one path has to be fit for. */
export interface Demand {
  readonly path: string
  /** What is to be there in the end; a link to a folder is as good as a folder. `any`: what is there is not touched. */
  readonly as: 'folder' | 'file' | 'link' | 'any'
  /** What is written there, in bytes. */
  readonly bytes: number
  /** The file whose size is to be added to that: one of the host that is copied. */
  readonly sizeOf?: string
  /** What has to be left free on the file system beside all that is written. */
  readonly spare?: number
  /** A program is started from there. */
  readonly runs?: true
}

// A small file or folder takes a block of the file system, whatever it holds.
const block = 4096
/** What is read late is a key, a certificate, a file of settings: a few kilobytes. */
const usualProvided = 2 * block

const blocks = (bytes: number): number => Math.ceil(bytes / block) * block

/** What the steps of plans ask for. What one of them brings, another may copy: its size is known before it is there. */
export function demandsOf(steps: readonly Step[]): readonly Demand[] {
  const effects = steps.flatMap(({ act }) => act)
  const brought = new Map(
    effects.flatMap((one) =>
      one.kind === 'push' || one.kind === 'provide'
        ? [[one.path, one.kind === 'push' ? one.size : usualProvided] as const]
        : [],
    ),
  )
  return effects.flatMap((effect) => demandsOfEffect(effect, brought))
}

const isProgram = (mode: string): boolean => (Number.parseInt(mode, 8) & 0o111) !== 0

function demandsOfEffect(effect: Effect, brought: ReadonlyMap<string, number>): readonly Demand[] {
  const runs = 'mode' in effect && isProgram(effect.mode) ? ({ runs: true } as const) : {}
  switch (effect.kind) {
    case 'directory':
      return [{ path: effect.path, as: 'folder', bytes: block }]
    case 'write':
      return [{ path: effect.path, as: 'file', bytes: blocks(Buffer.byteLength(effect.content)) }]
    case 'push':
      return [{ path: effect.path, as: 'file', bytes: blocks(effect.size), ...runs }]
    case 'provide':
      return [{ path: effect.path, as: 'file', bytes: usualProvided }]
    case 'duplicate':
    case 'copy': {
      const { path, from } = effect
      const size = brought.get(from)
      return size === undefined
        ? [{ path, as: 'file', bytes: block, sizeOf: from, ...runs }]
        : [{ path, as: 'file', bytes: blocks(size), ...runs }]
    }
    case 'link': {
      // A link to a release is how it is run.
      const target = resolve(dirname(effect.path), effect.target)
      return [
        // In another place than below the folder of ours, a file of somebody else is put aside and back.
        { path: effect.path, as: isAbsolute(effect.target) ? 'file' : 'link', bytes: block },
        { path: dirname(target), as: 'any', bytes: 0, runs: true },
      ]
    }
    case 'check': {
      const [program = ''] = effect.argv
      return isAbsolute(program) ? [{ path: program, as: 'any', bytes: 0, runs: true }] : []
    }
    case 'host-run':
      return [{ path: effect.netops, as: 'any', bytes: 0, runs: true }]
    case 'remove':
    case 'remove-tree':
    case 'remove-empty':
    case 'account':
    case 'sysctl':
    case 'service':
    case 'work':
    case 'undo-host-run':
    case 'lease':
      return []
  }
}
