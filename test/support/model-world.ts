// A world in memory for tests of the engine: effects change a map, probes are answered by a script, time is a number.
import type { Effect, Probe, ProbeAnswer } from '../../src/model/effects.ts'
import type { JournalRecord, Pushed } from '../../src/model/journal.ts'
import type { Step } from '../../src/model/plan.ts'
import type { Executor } from '../../src/engine/executor.ts'

/** Thrown in place of the end of the process: after it nothing is written and nothing is applied any more. */
export class Killed extends Error {}

export interface ModelWorld extends Executor {
  /** What the effects made of it. */
  readonly files: Map<string, string>
  /** Each effect in the order in which it was applied: `+path` made it so, `-path` took it back. */
  readonly applied: string[]
  /** What was waited for in all, in ms. */
  elapsed(): number
}

export interface Script {
  /** What was there before. */
  readonly files?: ReadonlyMap<string, string> | undefined
  /** Throws where the effect is to fail; it does so each time. */
  readonly fail?: ((mark: string) => void) | undefined
  readonly answer?: ((probe: Probe, nowMs: number) => ProbeAnswer) | undefined
  /** Stops the world when it says so. */
  readonly dead?: (() => boolean) | undefined
  /** Called with the mark of each effect before it is applied. */
  readonly watch?: ((mark: string) => void) | undefined
  /** What each effect tells that it sent. */
  readonly pushed?: Pushed | undefined
  readonly hook?: ((argv: readonly string[], document: string) => void) | undefined
}

const fresh = 'new'

/** The mark by which {@link ModelWorld.applied} and {@link Script.fail} know an effect. */
const markOf = (effect: Effect): string => {
  if (effect.kind === 'write') return `${effect.content === fresh ? '+' : '-'}${effect.path}`
  return effect.kind === 'remove' ? `-${effect.path}` : effect.kind
}

export function modelWorld(script: Script = {}): ModelWorld {
  const files = new Map(script.files)
  const applied: string[] = []
  let time = 0
  return {
    files,
    applied,
    elapsed: () => time,
    now: () => time,
    sleep: async (ms) => {
      // Those who sleep side by side wake side by side.
      const wake = time + ms
      await Promise.resolve()
      time = Math.max(time, wake)
    },
    async apply(_host, effect, relay) {
      await Promise.resolve()
      if (script.dead?.() === true) throw new Killed()
      script.watch?.(markOf(effect))
      if (script.pushed !== undefined) relay.pushed(script.pushed)
      script.fail?.(markOf(effect))
      applied.push(markOf(effect))
      if (effect.kind === 'write') files.set(effect.path, effect.content)
      else if (effect.kind === 'remove') files.delete(effect.path)
      else throw new TypeError(`the model has no ${effect.kind}`)
      return true
    },
    async hook(argv, document) {
      await Promise.resolve()
      if (script.dead?.() === true) throw new Killed()
      applied.push(`hook ${argv.join(' ')}`)
      script.hook?.(argv, document)
    },
    lastWords: () => Promise.resolve([]),
    probe: (_host, probe) =>
      Promise.resolve(script.answer?.(probe, time) ?? { ok: true, seen: 'ready', startId: 'first' }),
  }
}

/** A step that makes one file for each path and puts back what was there. */
export function step(id: string, options: Partial<Step> & { before?: ReadonlyMap<string, string> } = {}): Step {
  const { before, ...rest } = options
  const paths = [`${id}.a`, `${id}.b`]
  const place = { mode: '0644' }
  return {
    kind: 'step',
    id,
    host: 'web1',
    title: `Do ${id}`,
    act: paths.map((path): Effect => ({ kind: 'write', path, content: fresh, ...place })),
    undo: paths.toReversed().map((path): Effect => {
      const content = before?.get(path)
      return content === undefined ? { kind: 'remove', path } : { kind: 'write', path, content, ...place }
    }),
    ...rest,
  }
}

/** Dies before or after a chosen line of a journal, and stays dead. */
export function killer(line: number, moment: 'before' | 'after') {
  let dead = false
  return {
    dead: () => dead,
    observe: (record: JournalRecord, when: 'before' | 'after'): void => {
      if (record.seq === line && when === moment) dead = true
      if (dead) throw new Killed()
    },
  }
}
