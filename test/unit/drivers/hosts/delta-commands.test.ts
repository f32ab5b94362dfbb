import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { dealCommand, longestDeal, unzipping } from '../../../../src/drivers/hosts/delta-commands.ts'
import { quoteCommand } from '../../../../src/drivers/hosts/quote.ts'
import { blockSize } from '../../../../src/system/blocks.ts'
import type { Run } from '../../../../src/system/delta.ts'
import { exec } from '../../../../src/system/exec.ts'

describe('a file dealt out by dd', () => {
  test('takes each run from its base or from standard input', () => {
    const runs: readonly Run[] = [
      { kind: 'copy', base: 1, offset: 3 * blockSize, length: 2 * blockSize },
      { kind: 'data', offset: 2 * blockSize, length: blockSize + 1 },
    ]
    expect(dealCommand('/t', runs, ['/one', '/two'])).toEqual([
      ...['sh', '-c'],
      `set -e
exec > "$0"
dd "if=$2" skip=3 bs=65536 count=2 iflag=fullblock status=none
dd bs=65536 count=2 iflag=fullblock status=none`,
      ...['/t', '/one', '/two'],
    ])
  })

  test('is a command that Linux takes, however many runs are allowed', () => {
    const far: Run = { kind: 'copy', base: 9, offset: 1e6 * blockSize, length: 1e6 * blockSize }
    const runs = Array.from({ length: longestDeal }, () => far)
    // execve(2): MAX_ARG_STRLEN
    expect(quoteCommand(dealCommand('/t'.repeat(1000), runs, ['/b'.repeat(1000)])).length).toBeLessThan(100_000)
  })
})

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
