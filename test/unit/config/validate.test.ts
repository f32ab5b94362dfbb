// The check by itself, with a schema of the fleet file's kind: records, alternatives, secrets, required keys.
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { formatProblems, nearest } from '../../../src/config/problems.ts'
import { checkYaml, parseYaml, type CheckOptions } from '../../../src/config/validate.ts'
import { key } from '../../../src/model/schema-notes.ts'
import { duration } from '../../../src/model/units.ts'

const schema = z.strictObject({
  environment: z.enum(['production', 'staging']).optional(),
  hosts: z.record(
    z.string().regex(/^[a-z0-9-]+$/, 'expected a name of a-z, 0-9 and -'),
    z.strictObject({
      address: z.string(),
      roles: z.array(z.enum(['backend', 'balancer'])).optional(),
      weight: z.number().max(1).optional(),
    }),
  ),
  pause: duration.prefault('10s'),
  source: z.union([z.string(), z.strictObject({ command: z.array(z.string()) })]).optional(),
  notify: z
    .array(
      z.strictObject({
        url: z.url().optional(),
        password: key(z.string().min(8).optional(), 'A password.', { secret: true }),
      }),
    )
    .optional(),
})

const check = (text: string, options?: CheckOptions): string => {
  const checked = checkYaml(text, 'netops.yml', schema, options)
  return 'problems' in checked ? formatProblems(checked.problems) : JSON.stringify(checked.value)
}

describe('checkYaml', () => {
  it('gives what the schema makes of a valid text', () => {
    expect(check('hosts:\n  web1: { address: 10.0.0.1 }\n')).toBe(
      '{"hosts":{"web1":{"address":"10.0.0.1"}},"pause":10000}',
    )
  })

  it.each([
    ['', 'netops.yml:1:1 hosts: missing; expected a mapping'],
    [
      'hosts:\n  web1:\n    roles: [bakend]',
      [
        'netops.yml:3:5 hosts.web1.address: missing; expected text',
        'netops.yml:3:13 hosts.web1.roles[0]: expected one of backend, balancer, not "bakend"; did you mean backend?',
      ].join('\n'),
    ],
    ['hosts:\n  web1: { address: a, role: x }', 'netops.yml:2:23 hosts.web1.role: unknown key; did you mean roles?'],
    [
      'hosts:\n  web1: { address: a, weight: 1.5 }',
      'netops.yml:2:31 hosts.web1.weight: expected a number of at most 1, not 1.5',
    ],
    ['hosts:\n  WEB: { address: a }', 'netops.yml:2:3 hosts.WEB: expected a name of a-z, 0-9 and -, not "WEB"'],
    [
      'hosts: {}\npause: soon',
      'netops.yml:2:8 pause: expected a duration such as 500ms, 30s, 5m, 2h, 1d or 2w, not "soon"',
    ],
    ['hosts: {}\nsource: 5', 'netops.yml:2:9 source: expected text or a mapping, not 5'],
    ['hosts: {}\nsource: { command: ls }', 'netops.yml:2:20 source.command: expected a list, not "ls"'],
    [
      'hosts: {}\nsource: { comand: [ls] }',
      [
        'netops.yml:2:9 source.command: missing; expected a list',
        'netops.yml:2:11 source.comand: unknown key; did you mean command?',
      ].join('\n'),
    ],
  ])('says what is wrong with %j', (text, expected) => {
    expect(check(text)).toBe(expected)
  })

  it('gives problems as data: place, path, the value given and the guess', () => {
    const checked = checkYaml('environment: prodution\nhosts: {}', 'netops.yml', schema)
    expect('problems' in checked && checked.problems).toEqual([
      {
        file: 'netops.yml',
        line: 1,
        column: 14,
        path: 'environment',
        message: 'expected one of production, staging, not "prodution"',
        value: 'prodution',
        suggestion: 'production',
      },
    ])
  })

  it('shows a long value by its beginning', () => {
    expect(check(`environment: ${'x'.repeat(5000)}\nhosts: {}`).length).toBeLessThan(200)
  })

  it.each(['password: hunter2', 'password: [hunter2]', 'password: { hunter2: 1 }', 'passwort: hunter2', 'hunter2'])(
    'never shows a secret, here from %j',
    (line) => {
      const text = line.includes(':') ? `hosts: {}\nnotify:\n  - ${line}` : `hosts: {}\nnotify: ${line}`
      const checked = checkYaml(text, 'netops.yml', schema)
      const problems = 'problems' in checked ? checked.problems : []
      expect(problems).toHaveLength(1)
      expect(formatProblems(problems) + JSON.stringify(problems)).not.toContain('hunter2')
    },
  )

  it('checks what takes the place of a value, and names where that comes from', () => {
    const override = { path: ['hosts', 'web1', 'address'], value: 5, said: { file: 'WEB1_ADDRESS' } }
    expect(check('hosts:\n  web1: { address: a }', { overrides: [override] })).toBe(
      'WEB1_ADDRESS hosts.web1.address: expected text, not 5',
    )
  })

  it('can be used where a text must be valid: then the problems are the error', () => {
    expect(parseYaml('hosts: {}', 'netops.yml', schema)).toEqual({ hosts: {}, pause: 10_000 })
    expect(() => parseYaml('', 'netops.yml', schema)).toThrow(
      expect.objectContaining({ code: 'usage', message: 'netops.yml:1:1 hosts: missing; expected a mapping' }) as Error,
    )
  })
})

describe('nearest', () => {
  it.each([
    ['max_conections', 'max_connections'],
    ['max_cnonections', 'max_connections'],
    ['PORT', 'port'],
    ['prot', 'port'],
    ['p', undefined],
    ['connections', 'max_connections'],
    ['listen', undefined],
    ['x'.repeat(10_000), undefined],
  ])('takes %s for %s', (given, meant) => {
    expect(nearest(given, ['host', 'port', 'max_connections'])).toBe(meant)
  })
})
