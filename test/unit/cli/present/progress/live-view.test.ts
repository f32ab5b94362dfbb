import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { painted } from '../../../../../src/cli/painted.ts'
import { liveView } from '../../../../../src/cli/present/progress/live-view.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A terminal that is only looked at: what was written, with the escape character shown as `^`. */
function terminal(columns = 80) {
  const written: string[] = []
  const size = { columns, rows: 24 }
  const write = (text: string): void =>
    void written.push(text.replaceAll('\u001b', '^').replaceAll(/\^\[\?2026[hl]/g, ''))
  return { size: () => size, shape: size, write, written, take: () => written.splice(0) }
}

test('draws over what it drew before, only when something is new, ten times a second at most', () => {
  const screen = terminal()
  let lines = ['one', 'two']
  const view = liveView(screen, () => lines)
  expect(screen.take()).toEqual(['^[?25l'])
  vi.advanceTimersByTime(1000)
  expect(screen.take()).toEqual(['\r^[2Kone\n^[2Ktwo\n^[J'])
  for (const line of ['three', 'four', 'five']) {
    lines = [line]
    vi.advanceTimersByTime(30)
  }
  vi.advanceTimersByTime(100)
  expect(screen.take()).toEqual(['\r^[2A^[2Kfive\n^[J'])
  view.stop()
})

test('puts lines that are to stay above the frame', () => {
  const screen = terminal()
  const view = liveView(screen, () => ['frame'])
  vi.advanceTimersByTime(100)
  screen.take()
  view.line('web1 FAILED\n    the reason')
  expect(screen.take()).toEqual(['\r^[1A^[J^[2Kweb1 FAILED\n^[2K    the reason\n^[2Kframe\n^[J'])
  view.stop()
})

test('leaves the last frame, gives the cursor back and listens to nothing any more', () => {
  const before = [process.listenerCount('exit'), process.listenerCount('SIGTERM')]
  const screen = terminal()
  let frame = ['at work']
  const view = liveView(screen, () => frame)
  vi.advanceTimersByTime(100)
  frame = ['done']
  view.stop()
  view.stop()
  vi.advanceTimersByTime(1000)
  expect(screen.take().slice(-2)).toEqual(['\r^[1A^[2Kdone\n^[J', '^[?25h'])
  expect([process.listenerCount('exit'), process.listenerCount('SIGTERM')]).toEqual(before)
})

test('counts the rows that a narrower terminal has made of its lines', () => {
  const screen = terminal(80)
  const view = liveView(screen, ({ columns }) => [
    'x'.repeat(columns),
    painted({ text: 'red', paint: (text) => `\u001b[31m${text}\u001b[39m` }),
  ])
  vi.advanceTimersByTime(100)
  screen.take()
  screen.shape.columns = 30
  vi.advanceTimersByTime(100)
  // 80 columns are three rows of 30, and colours take none.
  expect(screen.take().join('')).toMatch(/^\r\^\[4A\^\[2Kx{30}\n/)
  view.stop()
})
