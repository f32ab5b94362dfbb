// Fleet files, configurations of the server and what commands of hosts_from print, damaged and made up: each is answered, in
// lines with a place, and nothing gets out or through that must not.
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { hunter, mustAnswer, type Kind } from '../support/answered.ts'
import { fuzz } from '../support/fuzz.ts'
import { goodFleetFiles, goodServerFiles } from '../support/good-config.ts'

const secret = hunter.repeat(5)

/** Texts to damage: good ones, and some that hold secrets, or what must not pass. */
const texts: Readonly<Record<Kind, readonly string[]>> = {
  server: [
    ...goodServerFiles,
    `auth: { jwt_secret: ${secret} }\ndatabase: { driver: postgres, password: "${secret}" }\n`,
    `auth:\n  jwt_secret: |\n    ${secret}\n  issuer: a\ndatabase:\n  password: '${secret}'\n`,
  ],
  fleet: [
    ...goodFleetFiles,
    `ssh: { become: sudo, become_password: ${secret} }\nhosts: { a: { address: b, config: { auth: { jwt_secret: ${secret} } } } }\n`,
    `hosts:\n  a:\n    address: 10.0.0.1\n    ssh: { become_password: { env: ${secret} } }\nfiles:\n  - { from: "${secret}", to: /a }\n`,
    `groups: { g: { hosts: [a], ssh: { become_password: { command: [${secret}] } } } }\nhosts: { a: { address: b } }\n`,
    'ssh: { user: "$(id)", jump: "ops@[fe80::1%eth0]:22" }\nhosts: { a: { address: "fe80::1%eth0", port: 22 } }\n',
  ],
  'hosts_from output': [
    '{"hosts":{"d1":{"address":"10.0.0.1","tags":["spot"],"ssh":{"user":"ops","port":2222,"jump":"a,b"}}}}',
    '{"hosts":{"d1":{"address":"fe80::1%eth0"},"d2":{"address":"x"}},"groups":{"late":{"hosts":["d1","web1"]}}}',
    `{"hosts":{"d1":{"address":"b","config":{"auth":{"jwt_secret":"${secret}"},"server":{"port":81}}}}}`,
    `{"hosts":{"d1":{"address":"b","ssh":{"become":"sudo","become_password":{"command":["${secret}"]}}}}}`,
    `{"hosts":{"d1":{"address":"b","ssh":{"become_password":{"env":"${secret}"},"identity":"/a"}}}}`,
    '{"hosts":{"d1":{"address":"b"}},"hooks":{"pre_deploy":["a"]},"files":[{"from":{"file":"/a"},"to":"/b"}]}',
  ],
}

const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.stringMatching(/^[\n :[\]{}&*#"'|>~0-]$/),
  fc.constantFrom(
    ...[
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
    ],
    ...[
      '$(id)',
      '`id`',
      '-o',
      ';',
      '//',
      '/../',
      '%eth0',
      '[::1]',
      ':22',
      '\u001b[2J',
      '\u202e',
      '\u009b',
      '"',
      '\\u001b',
    ],
    ...[hunter, `*${hunter}`, `!${hunter} `, `"${hunter}"`, `become_password: ${hunter}`, 'identity', 'jwt_secret: '],
  ),
)

/** A text with some places replaced. */
const damaged = (from: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...from), fc.array(fc.tuple(fc.nat(), fc.nat(20), piece), { minLength: 1, maxLength: 4 }))
    .map(([text, cuts]) =>
      cuts.reduce((rest, [at, cut, put]) => {
        const start = rest.length === 0 ? 0 : at % rest.length
        return rest.slice(0, start) + put + rest.slice(start + cut)
      }, text),
    )

const keys = [
  ...[
    'server',
    'port',
    'host',
    'hosts',
    'groups',
    'web1',
    'd1',
    'address',
    'config',
    'files',
    'auth',
    'outputs',
    'logging',
  ],
  ...[
    'jwt_secret',
    'password',
    'database',
    'ssh',
    'user',
    'jump',
    'become_password',
    'identity',
    'known_hosts',
    'from',
    'to',
  ],
  ...['command', 'env', 'file', 'hooks', 'pre_deploy', 'hosts_from', 'tags', 'roles', '<<'],
]
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...keys) },
  { weight: 1, arbitrary: fc.string({ maxLength: 4 }).map((text) => JSON.stringify(text)) },
)
const scalars = [
  ...[
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
    '"\\u001b[2J"',
    '!!str x',
    '2026-01-01',
  ],
  ...[
    'a',
    '10.0.0.1',
    '"fe80::1%eth0"',
    '"[::1]:22"',
    '"$(id)"',
    '/etc//network/../x',
    secret,
    `*${secret}`,
    `!${secret} x`,
  ],
]

/** YAML that is well-formed and means anything: keys of ours and others, anchors, aliases, every kind of value. */
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom(...scalars),
    fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items.join(', ')}]`),
    fc
      .array(fc.tuple(name, tie('tree')), { maxLength: 4 })
      .map((pairs) => `{${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')}}`),
    tie('tree').map((value) => `&a ${value.replace(/^[&*]a ?/, '')}`),
  ),
}))
const yaml = fc
  .array(fc.tuple(fc.constantFrom(...keys), tree), { minLength: 1, maxLength: 5 })
  .map((pairs) => pairs.map(([key, value]) => `${key}: ${value}`).join('\n'))

const someOf = <T>(made: fc.Arbitrary<T>) => fc.option(made, { nil: undefined })
/** Hosts in the shape of the file, so that most of what is said is understood. */
const said = fc.record({
  hosts: fc.dictionary(
    fc.constantFrom('d1', 'd2', 'd3'),
    fc.record({
      address: fc.constantFrom('10.0.0.1', 'fe80::1%eth0', 'b', '$(id)', '[::1]', 'x;id', '-oProxyCommand=id'),
      port: someOf(fc.nat(70_000)),
      ssh: someOf(
        fc.record({
          user: someOf(fc.oneof(fc.constantFrom('ops', '$(id)', 'CORP\\ops', '-l'), fc.string({ maxLength: 8 }))),
          jump: someOf(fc.oneof(fc.constantFrom('ops@a', 'none', 'a,b', '`id`@a'), fc.string({ maxLength: 8 }))),
          become: someOf(fc.constantFrom('sudo', 'none')),
          become_password: someOf(fc.constantFrom(secret, { env: secret }, { command: ['id'] })),
          identity: someOf(fc.constant('/a')),
        }),
      ),
      config: someOf(fc.constantFrom({ auth: { jwt_secret: secret } }, { server: { port: 81 } }, secret)),
    }),
  ),
  groups: someOf(
    fc.dictionary(fc.constantFrom('late', 'd1'), fc.record({ hosts: fc.constantFrom(['d1'], ['web1', 'd2'], ['x']) })),
  ),
})

const limit = { timeout: 10_800_000 }

describe.each(['server', 'fleet', 'hosts_from output'] as const)('a %s', (kind) => {
  test('that was damaged is answered, and shows no secret', limit, async () => {
    await fuzz(damaged(texts[kind]), 600, (text) => mustAnswer(kind, text))
  })

  test('of anything that YAML can say is answered, and shows no secret', limit, async () => {
    await fuzz(yaml, 400, (text) => mustAnswer(kind, text))
  })
})

test('what a command says of hosts runs and reads nothing here, whatever it is', limit, async () => {
  await fuzz(
    fc.oneof(
      said,
      fc.json().map((text) => JSON.parse(text) as unknown),
    ),
    600,
    (given) => mustAnswer('hosts_from output', JSON.stringify(given)),
  )
})
