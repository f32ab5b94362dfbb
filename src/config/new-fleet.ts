// The files that a new fleet begins with, as texts. Pure but for the key that tokens are signed with.
import { randomBytes } from 'node:crypto'
import { NetopsError } from '../model/errors.ts'
import { checkFleetFile } from './fleet-file.ts'
import { jsonSchemaText } from './json-schema.ts'
import { formatProblems } from './problems.ts'
import { checkServerConfig } from './server-config.ts'

/** What a new fleet is to be. */
export interface NewFleet {
  readonly environment: string | undefined
  /** `NAME=ADDRESS` each. */
  readonly hosts: readonly string[]
  readonly port: number
  readonly tls: boolean
  readonly auth: boolean
}

/** A file of a new fleet. */
export interface NewFile {
  readonly name: string
  readonly text: string
  readonly mode: number
  /** What it is for. */
  readonly about: string
}

/** The files of a new fleet. Secrets are made here and stand nowhere else. */
export function filesFor(fleet: NewFleet): readonly NewFile[] {
  const secrets = fleet.tls || fleet.auth
  return [
    { name: 'netops.yml', text: fleetText(fleet), mode: 0o644, about: 'the fleet' },
    { name: 'config.yaml', text: serverText(fleet), mode: 0o644, about: "the server's configuration" },
    { name: 'netops.schema.json', text: jsonSchemaText('fleet'), mode: 0o644, about: 'for editors' },
    { name: 'config.schema.json', text: jsonSchemaText('server'), mode: 0o644, about: 'for editors' },
    ...(secrets ? [{ name: 'secrets/.gitignore', text: '*\n', mode: 0o600, about: 'keeps secrets out of git' }] : []),
    ...(fleet.auth
      ? [
          {
            name: 'secrets/jwt.key',
            // RFC 7518, 3.2: at least as long as the hash. 48 bytes are 64 characters.
            text: `${randomBytes(48).toString('base64url')}\n`,
            mode: 0o600,
            about: 'the key that tokens are signed with, new',
          },
        ]
      : []),
  ]
}

function fleetText({ environment, hosts, tls, auth }: NewFleet): string {
  const file = (from: string, to: string): string =>
    `  - { from: { file: secrets/${from} }, to: /etc/network/${to}, mode: "0600", owner: network_service }`
  const files = [
    ...(tls ? [file('server.crt', 'server.crt'), file('server.key', 'server.key')] : []),
    ...(auth ? [file('jwt.key', 'jwt.key')] : []),
  ]
  return [
    '# yaml-language-server: $schema=netops.schema.json',
    ...(environment === undefined ? [] : [`environment: ${environment}`]),
    'config: { file: config.yaml }',
    ...(files.length === 0 ? [] : ['files:', ...files]),
    'hosts:',
    ...hosts.map((pair) => {
      const at = pair.indexOf('=')
      return `  ${pair.slice(0, at)}: { address: ${JSON.stringify(pair.slice(at + 1))}, roles: [backend] }`
    }),
    '',
  ].join('\n')
}

function serverText({ port, tls, auth }: NewFleet): string {
  return [
    '# yaml-language-server: $schema=config.schema.json',
    '# Every key with its default: netops config show --effective; what each is for: docs/configuration.md',
    'server:',
    `  port: ${port}`,
    'security:',
    `  auth: ${auth ? 'token' : 'none'}`,
    ...(tls
      ? [
          '  ssl_enabled: true',
          '  require_tls: true',
          '  cert_file: /etc/network/server.crt',
          '  key_file: /etc/network/server.key',
        ]
      : []),
    ...(auth ? ['auth:', '  jwt_secret_file: /etc/network/jwt.key'] : []),
    'logging:',
    '  file: /var/log/network/server.log',
    '',
  ].join('\n')
}

/**
 * What was answered ends up in files, and is checked like any other.
 * @throws NetopsError `usage` with every problem
 */
export function refuseInvalid(files: readonly NewFile[]): void {
  for (const { name, text } of files) {
    const checked =
      name === 'netops.yml'
        ? checkFleetFile(text, name)
        : name === 'config.yaml'
          ? checkServerConfig(text, name)
          : undefined
    if (checked !== undefined && 'problems' in checked) {
      throw new NetopsError('usage', { message: formatProblems(checked.problems) })
    }
  }
}
