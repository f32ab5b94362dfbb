// What a user of netops.yml sees: what is accepted and what it comes to, and for the rest the exact lines.
import { describe, expect, it } from 'vitest'
import { checkFleetFile, checkSaidHosts, hostsOf } from '../../../src/config/fleet-file.ts'
import { formatPath, formatProblems } from '../../../src/config/problems.ts'
import { knownKeys, schemaAt } from '../../../src/config/schema-words.ts'
import { inventorySchema } from '../../../src/model/inventory.ts'
import { badFleetFiles } from '../../support/bad-config.ts'

const linesOf = (text: string): string => {
  const checked = checkFleetFile(text, 'netops.yml')
  return 'problems' in checked ? formatProblems(checked.problems) : 'valid'
}

describe('an invalid fleet file', () => {
  it.each(badFleetFiles.map(({ text, lines }) => [text, lines] as const))(
    'is refused with every problem and its place: %j',
    (text, lines) => {
      expect(linesOf(text).split('\n')).toEqual(lines.map((line) => `netops.yml:${line}`))
    },
  )
})

const read = (text: string) => {
  const checked = checkFleetFile(text, 'netops.yml')
  if ('problems' in checked) throw new Error(formatProblems(checked.problems))
  return checked
}
const place = { folder: '/fleet', home: '/home/op' }

const whole = `environment: staging
config: { file: config.yaml }
ssh: { user: deploy, identity: keys/id, known_hosts: ~/kh }
groups:
  edge:
    hosts: [web1, web2]
    tags: [public]
    ssh: { port: 2222 }
    config: { server: { max_connections: 500 }, logging: { level: WARN } }
  big:
    hosts: [web2]
    config: { server: { max_connections: 9000 } }
hosts:
  web1: { address: 10.0.0.1, roles: [backend], tags: [old], config: { logging: { level: DEBUG } } }
  web2: { address: web2.example.com, port: 22, ssh: { user: root } }
  db1: { address: "fd00::5" }
files:
  - { from: { file: tls/key }, to: /etc/network/server.key, mode: "600", hosts: [edge] }
  - { from: { env: DB_PASSWORD }, to: /etc/network/db.pass, owner: "root:network_service", hosts: [db1] }
`

describe('the hosts of a fleet file', () => {
  const hosts = hostsOf(read(whole), undefined, place)
  const named = (name: string) => hosts.find((host) => host.name === name)

  it('are reached as the fleet, their groups and they themselves say, the nearest winning', () => {
    expect(hosts.map(({ name, login }) => [name, login])).toMatchObject([
      [
        'web1',
        { address: '10.0.0.1', port: 2222, user: 'deploy', identity: '/fleet/keys/id', knownHosts: '/home/op/kh' },
      ],
      [
        'web2',
        { address: 'web2.example.com', port: 22, user: 'root', identity: '/fleet/keys/id', knownHosts: '/home/op/kh' },
      ],
      [
        'db1',
        { address: 'fd00::5', port: undefined, user: 'deploy', identity: '/fleet/keys/id', knownHosts: '/home/op/kh' },
      ],
    ])
  })

  it('have the tags of their groups beside their own', () => {
    expect(hosts.map(({ tags, groups, roles }) => ({ tags, groups, roles }))).toEqual([
      { tags: ['public', 'old'], groups: ['edge'], roles: ['backend'] },
      { tags: ['public'], groups: ['edge', 'big'], roles: [] },
      { tags: [], groups: [], roles: [] },
    ])
  })

  it('have overrides in the order in which they win, each with its place', () => {
    const of = (name: string) =>
      named(name)?.overrides.map(({ path, value, said }) => [path.join('.'), value, said.line, said.column])
    expect(of('web1')).toEqual([
      ['server.max_connections', 500, 9, 42],
      ['logging.level', 'WARN', 9, 67],
      ['logging.level', 'DEBUG', 14, 89],
    ])
    expect(of('web2')).toEqual([
      ['server.max_connections', 500, 9, 42],
      ['logging.level', 'WARN', 9, 67],
      ['server.max_connections', 9000, 12, 42],
    ])
    expect(of('db1')).toEqual([])
  })

  it('get the files that are meant for them or their groups', () => {
    expect(named('web2')?.files).toEqual([
      { from: { file: '/fleet/tls/key' }, to: '/etc/network/server.key', mode: '0600', owner: 'network_service:' },
    ])
    expect(named('db1')?.files).toEqual([
      { from: { env: 'DB_PASSWORD' }, to: '/etc/network/db.pass', mode: '0600', owner: 'root:network_service' },
    ])
  })
})

describe('what the command of hosts_from says', () => {
  const fleet = read(
    'hosts_from: { command: [./hosts] }\nhosts: { web1: { address: a } }\ngroups: { edge: { hosts: [dyn1] } }',
  )
  const said = (text: string) => {
    const checked = checkSaidHosts(text, 'output of ./hosts', fleet)
    return 'problems' in checked ? formatProblems(checked.problems) : checked
  }

  it('stands beside the hosts of the file, in groups of either', () => {
    const checked = said('{"hosts":{"dyn1":{"address":"b"}},"groups":{"late":{"hosts":["web1","dyn1"]}}}')
    if (typeof checked === 'string') throw new Error(checked)
    expect(hostsOf(fleet, checked, place).map(({ name, groups }) => [name, groups])).toEqual([
      ['web1', ['late']],
      ['dyn1', ['edge', 'late']],
    ])
  })

  it.each([
    ['[]', '1:1: expected a mapping, not an empty list'],
    ['"hello"', '1:1: expected a mapping, not the value given'],
    ['{"hosts":{"dyn1":{}}}', '1:18 hosts.dyn1.address: missing; expected a host name or an IP address'],
    [
      '{"hosts":{"web1":{"address":"c"}}}',
      '1:18 hosts.web1: expected a name that the fleet file does not have, not a mapping',
    ],
    [
      '{"hosts":{"dyn1":{"address":"a"}}}',
      '1:29 hosts.dyn1.address: expected another address than that of web1, not "a"',
    ],
    [
      '{"hosts":{"dyn2":{"address":"b"}}}',
      'netops.yml:3:27 groups.edge.hosts[0]: expected a host of this fleet: web1, dyn2, not "dyn1"',
    ],
    ['{"all":{}}', '1:2 all: unknown key; expected one of hosts, groups'],
  ])('is refused with its place when it is %s', (text, line) => {
    expect(said(text)).toBe(line.startsWith('netops.yml') ? line : `output of ./hosts:${line}`)
  })

  const runsOrReads = [
    { become_password: { command: ['touch', '/tmp/made'] } },
    { become_password: { env: 'AWS_SECRET_ACCESS_KEY' } },
    { become_password: { file: '/etc/shadow' } },
    { identity: '~/.ssh/id_ed25519' },
    { known_hosts: '/tmp/known_hosts' },
  ]
  const refusal = 'only the fleet file itself may say this'

  it.each([
    ...runsOrReads.map((ssh) => ({ hosts: { dyn1: { address: 'b', ssh } } })),
    ...runsOrReads.map((ssh) => ({ hosts: { dyn1: { address: 'b' } }, groups: { late: { hosts: ['dyn1'], ssh } } })),
    { hooks: { pre_deploy: ['touch', '/tmp/made'] } },
    { hosts_from: { command: ['touch', '/tmp/made'] } },
    { files: [{ from: { file: '/etc/shadow' }, to: '/a' }] },
    { config: { file: '/etc/shadow' } },
    { ssh: { identity: '/etc/shadow' } },
    { environment: 'staging' },
  ])('is refused where it would run something, or read something of this machine: %j', (given) => {
    expect(said(JSON.stringify(given))).toContain(`: ${refusal}`)
  })

  // By the schema itself: a key that is new in the fleet file is none of what a command says until somebody allows it.
  it('may name no key of the fleet file but those that are plain data', () => {
    const plain = ['user', 'port', 'jump', 'connect_timeout', 'become']
    const keysOf = (schema: unknown): readonly string[] => knownKeys(schema, {})
    for (const [place, allowed, schema] of [
      [
        'hosts.dyn1',
        ['address', 'port', 'roles', 'tags', 'ssh', 'config'],
        schemaAt(inventorySchema, ['hosts', 'x'], {}),
      ],
      ['groups.late', ['hosts', 'tags', 'ssh', 'config'], schemaAt(inventorySchema, ['groups', 'x'], {})],
      ['hosts.dyn1.ssh', plain, schemaAt(inventorySchema, ['hosts', 'x', 'ssh'], {})],
      ['groups.late.ssh', plain, schemaAt(inventorySchema, ['groups', 'x', 'ssh'], {})],
      ['', ['hosts', 'groups'], inventorySchema],
    ] as const) {
      for (const key of keysOf(schema)) {
        const path = [...place.split('.').filter((part) => part !== ''), key]
        const message = said(JSON.stringify(path.reduceRight<unknown>((value, part) => ({ [part]: value }), 'x')))
        expect([
          path.join('.'),
          (typeof message === 'string' ? message : '').includes(`${formatPath(path)}: ${refusal}`),
        ]).toEqual([path.join('.'), !(allowed as readonly string[]).includes(key)])
      }
    }
  })

  it('shows no secret of what is wrong', () => {
    const config = { auth: { jwt_secret: 'hunter2' } }
    const text = JSON.stringify({ hosts: { dyn1: { address: 'b', config, ssh: { become_password: 'hunter2' } } } })
    expect(said(text)).toMatch(/jwt_secret: .*become_password: /s)
    expect(said(text)).not.toContain('hunter2')
  })
})
