// What every configuration that somebody gives must come to: a value, or lines with a place, that show no secret.
import { expect } from 'vitest'
import { checkFleetFile, checkSaidHosts, hostsOf, type FleetHost } from '../../src/config/fleet-file.ts'
import { formatProblems, type Problem } from '../../src/config/problems.ts'
import { secretsIn } from '../../src/config/schema-words.ts'
import { checkServerConfig } from '../../src/config/server-config.ts'
import { readYaml } from '../../src/config/yaml.ts'
import { dynamicInventorySchema, inventorySchema } from '../../src/model/inventory.ts'
import { serverConfigSchema } from '../../src/model/server-config.ts'

/** Stands for whatever is secret. */
export const hunter = 'hunter2'

const place = { folder: '/fleet', home: '/home/op' }
const someFleet = checkFleetFile('hosts_from: { command: [./hosts] }\nhosts: { web1: { address: a } }\n', 'netops.yml')

interface Answer {
  readonly problems: readonly Problem[]
  readonly hosts: readonly FleetHost[]
}

/** Each kind of text, with the schema that says what of it is secret. */
const kinds = {
  server: {
    schema: serverConfigSchema,
    check: (text: string): Answer => {
      const checked = checkServerConfig(text, 'f.yaml')
      return { problems: 'problems' in checked ? checked.problems : [], hosts: [] }
    },
  },
  fleet: {
    schema: inventorySchema,
    check: (text: string): Answer => {
      const checked = checkFleetFile(text, 'f.yaml')
      if ('problems' in checked) return { problems: checked.problems, hosts: [] }
      return { problems: [], hosts: hostsOf(checked, undefined, place) }
    },
  },
  'hosts_from output': {
    schema: dynamicInventorySchema,
    check: (text: string): Answer => {
      if ('problems' in someFleet) throw new Error('a fleet file that is valid')
      const checked = checkSaidHosts(text, 'f.yaml', someFleet)
      if ('problems' in checked) return { problems: checked.problems, hosts: [] }
      return { problems: [], hosts: hostsOf(someFleet, checked, place) }
    },
  },
} as const
export type Kind = keyof typeof kinds

// What a shell reads as more than a name, and what a program reads as an option.
const morethanName = /[\p{Cc}'`"$;&<>|(){}]|^-|\s-/u

/** Checks a text: it is answered, every line has its place, and nothing gets out or through that must not. */
export function mustAnswer(kind: Kind, text: string): void {
  const { problems, hosts } = kinds[kind].check(text)
  const lines = formatProblems(problems).split('\n')
  for (const line of problems.length === 0 ? [] : lines) {
    expect(line).toMatch(/^(?:f\.yaml:\d+:\d+[ :]|and (?:at least )?\d+ more problems$)/)
  }
  const told = lines.join('') + JSON.stringify(problems)
  // What stands in a file must not reach the terminal as anything but text.
  expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
  if (told.includes(hunter)) expect(isShowable(kind, text)).toBe(true)
  for (const { login } of hosts) {
    for (const name of [login.user ?? '', login.address, login.jump ?? '']) expect(name).not.toMatch(morethanName)
    if (kind !== 'hosts_from output') continue
    expect([login.becomePassword, login.identity, login.knownHosts]).toEqual([undefined, undefined, undefined])
  }
}

/** Whether the word stands somewhere that is not secret, so that a message may show it. */
function isShowable(kind: Kind, text: string): boolean {
  const parsed = readYaml(text)
  if ('message' in parsed) return false
  const secrets = secretsIn(kinds[kind].schema).map((path) => path.split('.'))
  const isSecret = (path: readonly string[]): boolean =>
    secrets.some((parts) =>
      path.slice(0, parts.length).every((name, index) => [name, '*'].includes(parts[index] ?? '')),
    )
  // The same node may stand at many places, by aliases.
  const seen = new Set<string>()
  const stands = (value: unknown, path: readonly string[]): boolean => {
    if (isSecret(path) && path.length > 0 && (typeof value !== 'object' || value === null)) return false
    if (typeof value !== 'object' || value === null) return String(value).includes(hunter)
    const at = path.join('\0')
    if (seen.has(at)) return false
    seen.add(at)
    return Object.entries(value).some(([name, child]) => name.includes(hunter) || stands(child, [...path, name]))
  }
  return stands(parsed.document.value, [])
}
