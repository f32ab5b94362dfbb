import { describe, expect, test } from 'vitest'
import { dealCommand, longestDeal } from '../../../../src/drivers/hosts/delta-commands.ts'
import { quoteCommand } from '../../../../src/drivers/hosts/quote.ts'
import { blockSize } from '../../../../src/system/blocks.ts'
import type { Run } from '../../../../src/system/delta.ts'

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
