// Configurations that are accepted: by the code, and by the published schemas.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, '../fixtures/config', name), 'utf8')

export const goodServerFiles: readonly string[] = [
  ...['guide-config.yaml', 'guide-logging.yaml', 'guide-scale-up.yaml'].map(fixture),
  '',
  'server:\n  # port: 8081\n',
  'server: { port: 1 }',
  'server: { port: 65535 }',
  'server: { host: "::1" }',
  'server: { host: web-1.example.com }',
  'server: { host: "fe80::1%eth0" }',
  'server: { worker_threads: auto }',
  'server: { tls_port: 9090 }',
  'server: { port: 0x1F90 }',
  'performance: { max_request_size: 100MB }',
  'security: { allowed_origins: ["*"] }',
  'security: { allowed_origins: ["http://localhost:3000", "https://[::1]"] }',
  'security: { ssl_enabled: true, require_tls: true, cert_file: /a.crt, key_file: /a.key, min_tls_version: TLSv1.3 }',
  'security: { require_tls: false }',
  'security: { auth: none }',
  'auth: { jwt_secret_file: /etc/network/jwt.key }',
  `auth: { jwt_secret: ${'k'.repeat(32)} }`,
  'database: { driver: postgres, host: db1, read_replicas: [db2, "db3:5433", "[fd00::1]:5432"], password_file: /p }',
  'database: { driver: postgres, host: db1, ssl_ca_file: /ca.crt }',
  'database: { driver: postgres, ssl_mode: verify-full, ssl_ca_file: /ca.crt }',
  'database: { driver: postgres, ssl_mode: require }',
  'database: { read_replicas: [] }',
  'checkpoint: { interval: 1.5h, timeout: 90s }',
  'metrics: { port: 9100, host: 10.0.0.1 }',
  'logging: { file: /a, max_size_mb: 1, outputs: [{ type: file, path: /a, rotation: { max_backups: 0, max_age: 1h } }] }',
  ...['udp://[::1]', 'tcp://log-1.example.com:601', 'unix:/run/log.sock', 'unix:///run/log.sock'].map(
    (address) => `logging: { outputs: [{ type: syslog, facility: local7, address: "${address}" }] }`,
  ),
  'access_log: { enabled: false, file: /a }\nlogging: { file: /a }',
  'error_log: { file: /e, level: WARN, max_size_mb: 5, max_files: 1, max_age: 2w }\naccess_log:',
  '$schema: ./schemas/config.schema.json',
  'server: &a { port: 81 }\nmetrics: { port: 82 }',
]

export const goodFleetFiles: readonly string[] = [
  'hosts: { web1: { address: 10.0.0.1 } }',
  'hosts: { web1: { address: "fe80::1%eth0" }, web2: { address: "fe80::1%eth1" } }',
  'hosts: { a: { address: x, ssh: { user: "CORP\\\\ops", jump: "CORP\\\\ops@[fe80::1%eth0]:22,b-1:2222" } } }',
  'hosts: { a: { address: x, ssh: &s { user: ops } }, b: { address: y, ssh: *s } }',
  'hosts_from: { command: [./hosts, --all], timeout: 1m }',
  'hosts: { a: { address: x, port: 22 }, b: { address: x, port: 2222 } }',
  `$schema: netops.schema.json
environment: production
config: { file: config/production.yaml }
ssh: { user: root, port: 22, identity: ~/.ssh/id_ed25519, known_hosts: ~/.ssh/known_hosts }
groups:
  edge: { hosts: [web1], tags: [public], ssh: { user: deploy }, config: { server: { max_connections: 50 } } }
hosts:
  web1: { address: 10.0.0.11, roles: [backend], tags: [old], config: { logging: { level: DEBUG }, server: } }
files:
  - { from: { command: [vault, read, key] }, to: /etc/network/server.key, mode: "0600", owner: network_service }
  - { from: { env: DB_PASSWORD }, to: /etc/network/db.pass, owner: "root:network_service", hosts: [edge] }
  - { from: { file: tls/server.crt }, to: /etc/network/server.crt, mode: "644", owner: root }
deploy: { min_healthy_time: 10s, healthy_deadline: 2m }
hooks: { pre_deploy: [./announce, now], post_tune: [[a], [b, c]] }
`,
]
