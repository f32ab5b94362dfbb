import { expect, test } from 'vitest'
import { isRedrawable } from '../../../../src/cli/terminal/spinner.ts'

test.each([
  ['a terminal', { isTTY: true }, { TERM: 'xterm' }, true],
  ['a pipe', {}, { TERM: 'xterm' }, false],
  ['a terminal that cannot move its cursor', { isTTY: true }, { TERM: 'dumb' }, false],
  ['a terminal of somebody who wants plain text', { isTTY: true }, { TERM: 'xterm', NO_COLOR: '1' }, false],
])('%s: whether it is redrawn', (_, stream, env, expected) => {
  expect(isRedrawable(stream, env)).toBe(expected)
})
