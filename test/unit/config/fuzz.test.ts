// Configurations that nobody would write: whatever stands in a file, it is answered in time, in lines with a place.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkFleetFile } from '../../../src/config/fleet-file.ts'
import { formatProblems, type Problem } from '../../../src/config/problems.ts'
import { checkServerConfig } from '../../../src/config/server-config.ts'
import { goodFleetFiles, goodServerFiles } from '../../support/good-config.ts'

// Whole in an endurance run: 100,000 texts in all.
const runs = process.env.NETOPS_ENDURANCE === '1' ? 25_000 : 750
const seed = process.env.NETOPS_SEED === undefined ? {} : { seed: Number(process.env.NETOPS_SEED) }
// A text of a few KB takes milliseconds; a machine under load gets plenty more before it is called a hang.
const longestMs = 20_000

const check = { server: checkServerConfig, fleet: checkFleetFile }

function mustAnswer(kind: keyof typeof check, text: string): void {
  const begun = performance.now()
  const checked: object = check[kind](text, 'f.yaml')
  const problems = 'problems' in checked ? (checked.problems as readonly Problem[]) : []
  const lines = formatProblems(problems).split('\n')
  expect(performance.now() - begun).toBeLessThan(longestMs)
  if (problems.length === 0) return
  for (const line of lines) expect(line).toMatch(/^(?:f\.yaml:\d+:\d+[ :]|and (?:at least )?\d+ more problems$)/)
  // What stands in a file must not reach the terminal as anything but text.
  expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
}

const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.stringMatching(/^[\n :[\]{}&*#"'|>~0-]$/),
  fc.constantFrom(
    '&a ',
    '*a',
    '<<: ',
    '!!binary ',
    '!!js/function ',
    '? ',
    '- ',
    '\t',
    '---\n',
    '0777',
    'on',
    '\uFEFF',
    '__proto__: ',
  ),
)

/** A valid file with some places replaced. */
const mutated = (files: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...files), fc.array(fc.tuple(fc.nat(), fc.nat(20), piece), { minLength: 1, maxLength: 4 }))
    .map(([text, cuts]) =>
      cuts.reduce((rest, [at, cut, put]) => {
        const start = rest.length === 0 ? 0 : at % rest.length
        return rest.slice(0, start) + put + rest.slice(start + cut)
      }, text),
    )

/** YAML that is well-formed and means anything: keys of ours and others, anchors, aliases, every kind of value. */
const keys = [
  'server',
  'port',
  'host',
  'hosts',
  'groups',
  'web1',
  'address',
  'config',
  'files',
  'auth',
  'jwt_secret',
  'outputs',
]
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom(
      '1',
      '0777',
      '""',
      '~',
      'on',
      '.nan',
      '.inf',
      '1e999',
      '[]',
      '{}',
      '*a',
      '"\\u202e"',
      '!!str x',
      '2026-01-01',
    ),
    fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items.join(', ')}]`),
    fc
      .array(
        fc.tuple(
          fc.oneof(
            fc.constantFrom(...keys),
            fc.string({ maxLength: 4 }).map((text) => JSON.stringify(text)),
          ),
          tie('tree'),
        ),
        { maxLength: 4 },
      )
      .map((pairs) => `{${pairs.map(([name, value]) => `${name}: ${value}`).join(', ')}}`),
    tie('tree').map((value) => `&a ${value.replace(/^[&*]a ?/, '')}`),
  ),
}))
const topLevel = fc
  .array(fc.tuple(fc.constantFrom(...keys), tree), { minLength: 1, maxLength: 5 })
  .map((pairs) => pairs.map(([name, value]) => `${name}: ${value}`).join('\n'))

describe.each(['server', 'fleet'] as const)('a %s file', (kind) => {
  const files = kind === 'server' ? goodServerFiles : goodFleetFiles

  it('that was damaged is answered, with a place in every line', { timeout: 1_800_000 }, () => {
    fc.assert(
      fc.property(mutated(files), (text) => mustAnswer(kind, text)),
      { numRuns: runs, ...seed },
    )
  })

  it('of anything that YAML can say is answered, with a place in every line', { timeout: 1_800_000 }, () => {
    fc.assert(
      fc.property(topLevel, (text) => mustAnswer(kind, text)),
      { numRuns: runs, ...seed },
    )
  })

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
  ])('with %s is answered in time', (_, text) => mustAnswer(kind, text))
})
