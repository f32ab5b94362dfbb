import { expect, test } from 'vitest'
import { parseEnvironmentFile } from '../../../src/model/tuning.ts'

test('an environment file is read as far as it holds plain lines', () => {
  const text = ['# A=0', 'A=1', ' B = 2', 'C="three four"', "D='5'", 'E=', 'not a line', '9=x', 'F=a=b', 'A=7'].join(
    '\n',
  )
  expect(parseEnvironmentFile(text)).toEqual({ A: '7', C: 'three four', D: '5', E: '', F: 'a=b' })
})
