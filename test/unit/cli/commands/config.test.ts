import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fakeConnections, unreachable } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
  await writeFile(join(fleet.cwd, 'bad.yaml'), 'server: { prot: 81 }\n')
  await writeFile(
    join(fleet.cwd, 'other.yaml'),
    'server: { port: 8088 }\nlogging: { level: DEBUG }\ndatabase: { password: secret }\n',
  )
})
afterAll(() => fleet.remove())

const onHost = 'server: { port: 8080, max_connections: 200 }\n'
const connections = fakeConnections({
  web1: { files: { '/etc/network_system/config.yaml': onHost } },
  web2: {},
  db1: unreachable,
})
const netops = (words: string, env = {}) => runCommand(words, { cwd: fleet.cwd, connections, env })

describe('netops config validate', () => {
  it('says of each file whether it is valid', async () => {
    const { exit, stdout } = await netops('config validate')
    expect(exit).toBe(0)
    // The server's configuration says nothing of tokens, which is noted for both.
    const lines = stdout.split('\n').filter((line) => !line.includes(': note: security.auth: token, and no key'))
    expect(lines).toEqual(['netops.yml: valid', 'config.yaml: valid', ''])
    const bad = await netops('config validate --set security.auth=none config.yaml bad.yaml')
    expect(bad.exit).toBe(2)
    expect(bad.stdout).toMatchInlineSnapshot(`
      "config.yaml: valid
      bad.yaml:1:11 server.prot: unknown key; did you mean port?
      "
    `)
    expect((await netops('config validate bad.yaml --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"config validate","ok":false,"outcome":"usage","files":[{"file":"bad.yaml","kind":"server","valid":false,"problems":[{"file":"bad.yaml","line":1,"column":11,"path":"server.prot","message":"unknown key","suggestion":"port"}],"notes":[]}]}"`,
    )
  })

  it('puts variables and values over the file where it is told to', async () => {
    const { stdout } = await netops('config validate --env --set logging.level=LOUD config.yaml', {
      NETWORK_SERVER_PORT: 'x',
    })
    expect(stdout).toMatchInlineSnapshot(`
      "NETWORK_SERVER_PORT server.port: expected a whole number from 1 to 65535, not "x"
      --set logging.level logging.level: expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, not "LOUD"
      "
    `)
  })

  it('takes what belongs to --live only with it', async () => {
    expect((await netops('config validate --user nobody')).stderr).toMatchInlineSnapshot(`
      "netops: --user: expected only together with --live
        hint: see --help for what each option takes
      "
    `)
  })
})

describe('netops config show', () => {
  it('shows what is set, with its origin', async () => {
    expect((await netops('config show')).stdout).toMatchInlineSnapshot(`
      "server:
        port: 8080
      "
    `)
    const { stdout } = await netops('config show --origin --host web2 --env', { NETWORK_SERVER_PORT: '81' })
    expect(stdout).toMatchInlineSnapshot(`
      "server:
        port: 81  # NETWORK_SERVER_PORT, over netops.yml:8:96 8081, config.yaml:1:17 8080, default 8080
      "
    `)
    expect((await netops('config show --effective')).stdout.split('\n').slice(0, 6)).toMatchInlineSnapshot(`
      [
        "server:",
        "  host: 0.0.0.0",
        "  port: 8080",
        "  tls_port: 8443",
        "  max_connections: 1000",
        "  worker_threads: auto",
      ]
    `)
    expect((await netops('config show --json --host web2')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"config show","ok":true,"outcome":"done","settings":[{"path":"server.port","value":8081,"origins":[{"from":"fleet","said":"netops.yml:8:96","value":8081},{"from":"file","said":"config.yaml:1:17","value":8080},{"from":"default","said":"default","value":8080}]}]}"`,
    )
  })
})

describe('netops config diff', () => {
  it('compares two files by what they mean', async () => {
    const { exit, stdout } = await netops('config diff config.yaml other.yaml')
    expect(exit).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "--- config.yaml
      +++ other.yaml
        server.port: 8080 -> 8088
        database.password: not set -> "(set)"
        logging.level: "INFO" -> "DEBUG"
      "
    `)
    expect((await netops('config diff config.yaml other.yaml --json')).json).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"config diff","ok":true,"outcome":"done","a":"config.yaml","b":"other.yaml","same":false,"differences":[{"path":"server.port","a":8080,"b":8088},{"path":"database.password","b":"(set)"},{"path":"logging.level","a":"INFO","b":"DEBUG"}]}"`,
    )
    expect((await netops('config diff config.yaml config.yaml')).stdout).toMatchInlineSnapshot(`
      "config.yaml and config.yaml mean the same
      "
    `)
  })

  it('compares with what a host has, or what it would get', async () => {
    expect((await netops('config diff config.yaml web1')).stdout).toMatchInlineSnapshot(`
      "--- config.yaml
      +++ web1:/etc/network_system/config.yaml
        server.max_connections: 1000 -> 200
      "
    `)
    expect((await netops('config diff web1')).stdout).toMatchInlineSnapshot(`
      "--- the fleet's, for web1
      +++ web1:/etc/network_system/config.yaml
        server.max_connections: 1000 -> 200
      "
    `)
    expect(connections.open()).toBe(0)
  })

  it('says where there is nothing to compare with', async () => {
    expect((await netops('config diff config.yaml web2')).stderr).toMatchInlineSnapshot(`
      "netops: web2: there is no /etc/network_system/config.yaml
        hint: netops deploy brings it there
      "
    `)
    expect(await netops('config diff config.yaml db1')).toMatchObject({ exit: 4 })
    expect((await netops('config diff config.yaml missing.yaml')).stderr).toMatch(
      /^netops: missing\.yaml cannot be read: ENOENT/,
    )
  })
})

describe('netops config schema', () => {
  it('prints a JSON Schema', async () => {
    expect(JSON.parse((await netops('config schema fleet')).stdout)).toMatchObject({ type: 'object' })
    expect(await netops('config schema server --json')).toMatchObject({ exit: 0 })
    expect((await netops('config schema other')).stderr).toMatchInlineSnapshot(`
      "netops: there is no schema other
        hint: one of server, fleet
      "
    `)
  })
})

describe('netops config init', () => {
  it('writes files that are valid, and nothing over those that are there', async () => {
    const words =
      'config init made --environment production --host web1=10.0.0.11 --host web2=10.0.0.12 --tls --auth --yes'
    const { exit, stdout } = await netops(words)
    expect(exit).toBe(0)
    expect(stdout).toMatchInlineSnapshot(`
      "made/netops.yml: the fleet
      made/config.yaml: the server's configuration
      made/netops.schema.json: for editors
      made/config.schema.json: for editors
      made/secrets/.gitignore: keeps secrets out of git
      made/secrets/jwt.key: the key that tokens are signed with, new
      Next:
        put the certificate and its key at made/secrets/server.crt and server.key
        check them: netops config validate made/netops.yml
        try the hosts: netops inventory check
        deploy: netops deploy --dry-run
      "
    `)
    expect(await readFile(join(fleet.cwd, 'made/netops.yml'), 'utf8')).toMatchInlineSnapshot(`
      "# yaml-language-server: $schema=netops.schema.json
      environment: production
      config: { file: config.yaml }
      files:
        - { from: { file: secrets/server.crt }, to: /etc/network/server.crt, mode: "0600", owner: network_service }
        - { from: { file: secrets/server.key }, to: /etc/network/server.key, mode: "0600", owner: network_service }
        - { from: { file: secrets/jwt.key }, to: /etc/network/jwt.key, mode: "0600", owner: network_service }
      hosts:
        web1: { address: "10.0.0.11", roles: [backend] }
        web2: { address: "10.0.0.12", roles: [backend] }
      "
    `)
    expect(await readFile(join(fleet.cwd, 'made/config.yaml'), 'utf8')).toMatchInlineSnapshot(`
      "# yaml-language-server: $schema=config.schema.json
      # Every key with its default: netops config show --effective; what each is for: docs/configuration.md
      server:
        port: 8080
      security:
        auth: token
        ssl_enabled: true
        require_tls: true
        cert_file: /etc/network/server.crt
        key_file: /etc/network/server.key
      auth:
        jwt_secret_file: /etc/network/jwt.key
      logging:
        file: /var/log/network/server.log
      "
    `)
    expect(await netops('config validate made/netops.yml made/config.yaml')).toMatchObject({ exit: 0 })
    const again = await netops(words)
    expect(again.exit).toBe(7)
    expect(again.stderr.replace(fleet.cwd, 'FOLDER')).toMatchInlineSnapshot(`
      "netops: FOLDER/made already holds netops.yml, config.yaml, netops.schema.json, config.schema.json, secrets/.gitignore, secrets/jwt.key
        hint: name another folder: netops config init FOLDER
      "
    `)
  })

  it('asks for what it was not told', async () => {
    const questions: string[] = []
    const ask = (question: string) => {
      questions.push(question)
      return Promise.resolve(question.startsWith('Hosts') ? 'web1=10.0.0.1, web2=10.0.0.2' : '')
    }
    const { exit, json } = await runCommand('config init asked --json', { cwd: fleet.cwd, ask })
    expect(exit).toBe(0)
    expect(questions).toMatchInlineSnapshot(`
      [
        "Environment (production, staging; empty for none): ",
        "Hosts, NAME=ADDRESS, separated by spaces [web1=192.0.2.11]: ",
        "TCP port that speaks HTTP [8080]: ",
        "TLS (y/n) [n]: ",
        "Tokens (JWT) (y/n) [n]: ",
      ]
    `)
    expect(json.replaceAll(fleet.cwd, 'FOLDER')).toMatchInlineSnapshot(
      `"{"schema":"netops/v1","command":"config init","ok":true,"outcome":"done","folder":"FOLDER/asked","files":[{"name":"netops.yml","mode":"0644"},{"name":"config.yaml","mode":"0644"},{"name":"netops.schema.json","mode":"0644"},{"name":"config.schema.json","mode":"0644"}],"next":["check them: netops config validate asked/netops.yml","try the hosts: netops inventory check","deploy: netops deploy --dry-run"]}"`,
    )
    const wrong = await runCommand('config init wrong', { cwd: fleet.cwd, ask: () => Promise.resolve('nonsense') })
    expect(wrong.stderr).toMatchInlineSnapshot(`
      "netops: "nonsense": expected NAME=ADDRESS, such as web1=10.0.0.11
      "
    `)
  })
})
