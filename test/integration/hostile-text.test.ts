// Configurations that nobody would write: whatever their length and depth, they are answered in time, in lines with a place.
import { describe, expect, it } from 'vitest'
import { mustAnswer } from '../support/answered.ts'

// A text of a few KB takes milliseconds; a machine under load gets plenty more before it is called a hang.
const longestMs = 20_000

describe.each(['server', 'fleet', 'hosts_from output'] as const)('a %s', (kind) => {
  const bomb = (levels: number): string =>
    Array.from(
      { length: levels },
      (_, n) =>
        `k${n}: &a${n} [${Array(10)
          .fill(n === 0 ? 'x' : `*a${n - 1}`)
          .join(', ')}]`,
    ).join('\n')

  it.each([
    ['aliases that unfold to 10^9 values', bomb(9)],
    ['brackets 100,000 deep', '['.repeat(100_000)],
    ['mappings 60 deep', `${'{a: '.repeat(60)}1${'}'.repeat(60)}`],
    ['a million characters and more', `server: ${'x'.repeat(2 ** 20)}`],
    ['50,000 unknown keys', Array.from({ length: 50_000 }, (_, n) => `k${n}: 1`).join('\n')],
    ['50,000 items of the wrong kind', `server: [${Array(50_000).fill('a').join(', ')}]`],
    ['a long word in place of a known one', `${'s'.repeat(50_000)}: 1`],
    ['a long line of anchors', Array.from({ length: 20_000 }, (_, n) => `- &x${n} 1`).join('\n')],
    [
      '20,000 wrong hosts',
      `hosts:\n${Array.from({ length: 20_000 }, (_, n) => `  h${n}: { adress: ${n} }`).join('\n')}`,
    ],
    ['a number of 100,000 digits', `server: { port: ${'9'.repeat(100_000)} }`],
    ['zeros before a number', `server: { port: ${'0'.repeat(30)}1 }`],
    ['a host name that makes patterns work', `server: { host: ${'a-'.repeat(120)}. }`],
    ['an origin that makes patterns work', `security: { allowed_origins: ["https://${'a.'.repeat(5000)}!"] }`],
  ])('with %s is answered in time', (_, text) => {
    const begun = performance.now()
    mustAnswer(kind, text)
    expect(performance.now() - begun).toBeLessThan(longestMs)
  })
})
