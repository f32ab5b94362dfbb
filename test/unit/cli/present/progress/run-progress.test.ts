import { expect, test } from 'vitest'
import { rendered, type Line } from '../../../../../src/cli/painted.ts'
import { runProgress } from '../../../../../src/cli/present/progress/run-progress.ts'
import type { Screen, View } from '../../../../../src/cli/screen.ts'
import type { JournalEntry } from '../../../../../src/model/journal.ts'
import { deploymentOf, recordsOf } from '../../../../support/fleet-story.ts'

/** Shows records, and returns what became a line and what the terminal was drawn at the end. */
function shown(entries: readonly JournalEntry[], options: { screen: boolean; verbosity?: number; known?: number }) {
  const lines: string[] = []
  const views: View[] = []
  let drawn = ''
  const screen: Screen = {
    output: true,
    size: () => ({ columns: 80, rows: 24 }),
    write: (text) => void (drawn = text.includes('\n') ? text : drawn),
    show: (view) => views.push(view()),
  }
  const { verbosity = 0, known = 0 } = options
  const context = { color: false, verbosity, progress: (line: Line) => void lines.push(rendered(line)) }
  const progress = runProgress(options.screen ? { ...context, screen } : context)
  recordsOf(entries).forEach((record, index) => (index < known ? progress.recall(record) : progress.see(record)))
  for (const view of views) view.stop()
  return { lines, views: views.length, drawn }
}

const story = () => deploymentOf(['web1', 'web2'])
const failing = (): JournalEntry[] => {
  const { start, to, undoing, rolledBack } = story()
  return [start, ...to('web1'), ...undoing('web2'), ...rolledBack('web2')]
}

test('a run on several hosts is drawn on a screen, where only failures become lines, each once', () => {
  const { lines, views, drawn } = shown(failing(), { screen: true })
  expect(views).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(/^web2 {5}Verify that the service is healthy: FAILED .* s\n {4}not healthy on /),
  ])
  expect(drawn).toContain('deploy on 2 hosts: 1 rolled back, 1 done')
})

test('who wants more told gets all lines above what is drawn', () => {
  const { lines } = shown(failing(), { screen: true, verbosity: 1 })
  expect(lines).toEqual(shown(failing(), { screen: false, verbosity: 1 }).lines)
})

test('without a screen a run on several hosts is told in lines', () => {
  const { lines, views } = shown(failing(), { screen: false })
  expect([lines.length > 20, views]).toEqual([true, 0])
})

test('a run on one host is told in lines, on a screen too', () => {
  const { start, to } = deploymentOf(['web1'])
  const { lines, views } = shown([start, ...to('web1')], { screen: true })
  expect([lines.length > 10, views]).toEqual([true, 0])
})

test('a run that goes on is drawn with what was done before, which is not told again', () => {
  const { start, to, end } = story()
  const before = [start, ...to('web1')]
  const after: JournalEntry[] = [{ type: 'resumed', by: 'test', pid: 1 }, ...to('web2'), end('done')]
  const told = shown([...before, ...after], { screen: false, known: before.length })
  expect(told.lines.every((line) => line.startsWith('web2'))).toBe(true)
  expect(told.lines).toContain('web2     Start the service: ok 1.0 s')
  expect(shown([...before, ...after], { screen: true, known: before.length }).drawn).toContain('2 hosts: 2 done')
})
