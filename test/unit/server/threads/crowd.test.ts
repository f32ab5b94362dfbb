import { beforeEach, describe, expect, it } from 'vitest'
import { createPlaces, type Guest, type Places } from '../../../../src/server/places.ts'
import { threadCrowd } from '../../../../src/server/threads/crowd.ts'
import { createSharedMemory, openShared, type Shared } from '../../../../src/server/threads/shared.ts'

// Three threads of one process, whose messages arrive when the test says so.
let shared: Shared
let threads: readonly Places[]
let messages: number[]
let closed: string[]
let refused: number

const most = 4
beforeEach(() => {
  const memory = createSharedMemory(3)
  shared = openShared(memory)
  messages = []
  closed = []
  refused = 0
  threads = [0, 1, 2].map((own) =>
    createPlaces({
      most,
      reserved: 0,
      crowd: threadCrowd(openShared(memory), own, (thread) => messages.push(thread)),
      onGivenUp: () => undefined,
      onRefused: () => (refused += 1),
    }),
  )
})

const thread = (at: number): Places => {
  const places = threads[at]
  if (places === undefined) throw new Error(`there is no thread ${at}`)
  return places
}
const enter = (at: number, name: string): Guest | undefined => {
  const guest: Guest = { leave: () => closed.push(name) }
  return thread(at).enter(guest) ? guest : undefined
}
const atWork = (at: number, name: string): Guest => {
  const guest = enter(at, name)
  if (guest === undefined) throw new Error(`${name} got no place`)
  thread(at).work(guest)
  return guest
}
const deliver = () => messages.splice(0).forEach((at) => thread(at).giveWay())
const open = () => threads.reduce((sum, places) => sum + places.open(), 0)

describe('the places of several threads', () => {
  it('are one limit, and the connection that has waited longest gives way, in whatever thread it is', () => {
    enter(1, 'oldest')
    enter(0, 'second')
    atWork(2, 'busy')
    enter(2, 'third')
    expect(enter(0, 'new')).toBeDefined()
    deliver()
    expect(closed).toEqual(['oldest'])
    expect(enter(1, 'another')).toBeDefined()
    deliver()
    expect(closed).toEqual(['oldest', 'second'])
    expect([open(), shared.open(), refused]).toEqual([most, most, 0])
  })

  it('are refused where everybody is at work, in all threads', () => {
    for (const at of [0, 1, 2, 2]) atWork(at, `busy ${at}`)
    expect(enter(1, 'new')).toBeUndefined()
    expect([open(), shared.open(), refused, messages]).toEqual([most, most, 1, []])
  })

  it('that were taken from one who is at work again are given back with its next rest', () => {
    const guest = enter(1, 'was silent')
    for (const at of [0, 0, 2]) atWork(at, `busy ${at}`)
    expect(enter(0, 'new')).toBeDefined()
    if (guest !== undefined) thread(1).work(guest)
    deliver()
    // For a moment there is one more than there may be; nobody else can be asked for it a second time.
    expect([closed, open(), shared.open()]).toEqual([[], most + 1, most])
    expect(enter(2, 'late')).toBeDefined()
    deliver()
    expect(closed).toEqual(['new'])
    if (guest !== undefined) thread(1).rest(guest)
    expect(closed).toEqual(['new', 'was silent'])
    expect([open(), shared.open()]).toEqual([most, most])
  })

  it('that were taken from one who left by itself meanwhile count once', () => {
    const guest = enter(1, 'was silent')
    for (const at of [0, 0, 2]) atWork(at, `busy ${at}`)
    enter(0, 'new')
    if (guest !== undefined) thread(1).work(guest)
    deliver()
    if (guest !== undefined) thread(1).exit(guest)
    expect([open(), shared.open()]).toEqual([most, most])
    // Nothing is owed any more: who comes to thread 1 stays.
    const stays = atWork(1, 'stays')
    deliver()
    expect(closed).toEqual(['new'])
    thread(1).rest(stays)
    expect([closed, open(), shared.open()]).toEqual([['new'], most, most])
  })

  it('hold after any order of coming, working, resting and leaving', () => {
    const guests: { readonly at: number; readonly guest: Guest }[] = []
    let seed = 7
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let step = 0; step < 20_000; step += 1) {
      const chosen = guests[random(guests.length + 1)]
      const kind = random(6)
      if (kind === 0 || chosen === undefined) {
        const at = random(3)
        const guest = enter(at, '')
        if (guest !== undefined) guests.push({ at, guest })
      } else if (kind === 1) thread(chosen.at).work(chosen.guest)
      else if (kind === 2) thread(chosen.at).rest(chosen.guest)
      else if (kind === 3) thread(chosen.at).part(chosen.guest)
      else if (kind === 4) thread(chosen.at).exit(chosen.guest)
      else deliver()
    }
    deliver()
    for (const { at, guest } of guests) thread(at).rest(guest)
    expect(open()).toBe(shared.open())
    expect(shared.open()).toBeLessThanOrEqual(most)
    for (const { at, guest } of guests) thread(at).exit(guest)
    expect([open(), shared.open()]).toEqual([0, 0])
    for (const at of [0, 1, 2]) expect(shared.claim(at)).toBe(false)
  })
})
