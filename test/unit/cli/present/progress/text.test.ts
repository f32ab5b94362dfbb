import { describe, expect, test } from 'vitest'
import { cut, cutMiddle, firstLine, pad, widthOf } from '../../../../../src/cli/present/progress/text.ts'

describe('a text in a line of a terminal', () => {
  test.each([
    ['plain', 5],
    ['東京', 4],
    ['e\u0301', 1],
    ['\u{1f525}', 2],
  ])('%j takes %i columns', (text, width) => {
    expect(widthOf(text)).toBe(width)
    expect(widthOf(pad(text, 7))).toBe(7)
  })

  test.each([
    ['short', 8, 'short', 'short'],
    ['prod-eu-west-web-17', 12, 'prod-eu-w...', 'prod-...b-17'],
    ['東京のサーバー', 8, '東京...', '東...ー'],
    ['long', 3, '...', '...'],
    ['long', 1, '.', '.'],
    ['long', 0, '', ''],
  ])('%j is cut to %i columns', (text, columns, end, middle) => {
    expect([cut(text, columns), cutMiddle(text, columns)]).toEqual([end, middle])
  })

  test('is its first line, without what would move the cursor', () => {
    expect(firstLine('\n a\tb\u001b[2Jc\r\nsecond')).toBe('a bc')
    expect(firstLine('')).toBe('')
  })
})
