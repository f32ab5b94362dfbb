import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { unzipping } from '../../../../src/drivers/hosts/delta-commands.ts'
import { exec } from '../../../../src/system/exec.ts'

describe('a command that gets its input unzipped', () => {
  const text = 'a text '.repeat(20_000)
  const zipped = Buffer.concat([gzipSync(text), gzipSync('and more')])
  const counts = ['sh', '-c', 'test "$(wc -c)" = "$1"', 'sh', String(text.length + 8)]

  test('gets all of it, in however many parts', async () => {
    expect(await exec(unzipping(counts), { stdin: { bytes: zipped } })).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test.each([
    [
      'the input ends too early',
      zipped.subarray(0, -3),
      ['dd', 'of=/dev/null', 'status=none'],
      /unexpected end of file/,
    ],
    [
      'the input is none',
      Buffer.from('nothing of the kind'),
      ['dd', 'of=/dev/null', 'status=none'],
      /not in gzip format/,
    ],
    ['it fails itself', zipped, ['dd', 'of=/dev/full', 'status=none'], /No space left on device/],
    ['it does not read to the end', zipped, ['sh', '-c', 'echo enough >&2; exit 3'], /enough/],
  ])('fails and says why when %s', async (_, bytes, argv, why) => {
    const { code, stderr } = await exec(unzipping(argv), { stdin: { bytes } })
    expect(code).not.toBe(0)
    expect(stderr).toMatch(why)
  })
})
