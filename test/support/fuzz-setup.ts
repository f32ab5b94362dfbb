// Beside each fuzz test: what it took, for the table of `npm run fuzz`, and that its memory stays bounded.
import { afterEach, beforeEach, expect } from 'vitest'
import { forgetPeak, peakMemory, runsAsked } from './fuzz.ts'

declare module 'vitest' {
  interface TaskMeta {
    fuzz?: { readonly runs: number; readonly seconds: number; readonly peakBytes: number }
  }
}

// What the garbage collector may leave lying is some 100 MB; what grows with the number of inputs is more.
const mostGrowth = 700e6

let begun = 0
let before = 0
beforeEach(() => {
  forgetPeak()
  before = peakMemory()
  begun = performance.now()
})

afterEach(({ task }) => {
  const peakBytes = peakMemory()
  task.meta.fuzz = { runs: runsAsked(), seconds: (performance.now() - begun) / 1000, peakBytes }
  expect(peakBytes - before).toBeLessThan(mostGrowth)
})
