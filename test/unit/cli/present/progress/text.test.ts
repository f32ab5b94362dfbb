import { describe, expect, test } from 'vitest'
import { cut, cutMiddle, firstLine, pad, widthOf } from '../../../../../src/cli/present/progress/text.ts'

describe('a text in a line of a terminal', () => {
  test.each([
    ['plain', 5],
    ['東京', 4],
    ['e\u0301', 1],
    ['\u{1f525}', 2],
    ['\u26a0\ufe0f', 2],
    ['\u2705', 2],
    ['\u{1f1e9}\u{1f1ea}', 2],
    ['\u{1f44d}\u{1f3fd}', 2],
    ['\u{1f468}\u200d\u{1f469}\u200d\u{1f467}', 2],
    ['\u{20000}', 2],
    ['\u001b[31mred\u001b[39m', 3],
  ])('%j takes %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width)
    expect(widthOf(pad(text, 7))).toBe(7)
  })

  test.each([
    ['short', 8, 'short', 'short'],
    ['prod-eu-west-web-17', 12, 'prod-eu-w...', 'prod-...b-17'],
    ['東京のサーバー', 8, '東京...', '東...ー'],
    ['e\u0301'.repeat(9), 8, `${'e\u0301'.repeat(5)}...`, `${'e\u0301'.repeat(3)}...${'e\u0301'.repeat(2)}`],
    [
      '\u{1f1e9}\u{1f1ea}'.repeat(5),
      8,
      `${'\u{1f1e9}\u{1f1ea}'.repeat(2)}...`,
      '\u{1f1e9}\u{1f1ea}...\u{1f1e9}\u{1f1ea}',
    ],
    ['long', 3, '...', '...'],
    ['long', 1, '.', '.'],
    ['long', 0, '', ''],
  ])('%j is cut to %i columns', (text, columns, end, middle) => {
    expect([cut(text, columns), cutMiddle(text, columns)]).toEqual([end, middle])
  })

  test('is its first line, without what would move the cursor', () => {
    expect(firstLine('\n a\tb\u001b[2Jc\r\nsecond')).toBe('a bc')
    expect(firstLine('a\u202eb\u200e \u{1f44d}\u{1f3fd}')).toBe('ab \u{1f44d}\u{1f3fd}')
    expect(firstLine('\u{1f468}\u200d\u{1f467}')).toBe('\u{1f468}\u200d\u{1f467}')
    expect(firstLine('')).toBe('')
  })
})
