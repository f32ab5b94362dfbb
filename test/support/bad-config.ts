// Tables of configurations that are refused, with every line that a user reads: for the code, and for the published schemas.

/** A text that is refused. */
export interface BadFile {
  readonly text: string
  /** What is said, without the file's name in front. */
  readonly lines: readonly string[]
  /** JSON Schema cannot say what is wrong with it: two numbers that do not fit, a size within a text. */
  readonly beyondSchema: boolean
}

const bad = (text: string, ...lines: string[]): BadFile => ({ text, lines, beyondSchema: false })
const beyond = (text: string, ...lines: string[]): BadFile => ({ text, lines, beyondSchema: true })

const levels = 'expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL'
const sections =
  'expected one of $schema, server, security, auth, performance, database, checkpoint, logging, access_log, error_log, metrics'
const port = 'expected a whole number from 1 to 65535'
const duration = 'expected a duration such as 500ms, 30s, 5m, 2h, 1d or 2w'
const path = 'expected an absolute path'
const tls = 'security:\n  ssl_enabled: true\n  cert_file: /a.crt\n  key_file: /a.key\n'
const noMerging =
  'merge keys are not read, YAML 1.2 has none; write the keys out, or let an alias stand for a whole value (key: *name)'
const secret = 'q'.repeat(32)

export const badServerFiles: readonly BadFile[] = [
  bad('server:\n  max_conections: 5', '2:3 server.max_conections: unknown key; did you mean max_connections?'),
  bad('Server:\n  port: 1', '1:1 Server: unknown key; did you mean server?'),
  bad('port: 8080', `1:1 port: unknown key; ${sections}`),
  bad('"a b": 1', `1:1 "a b": unknown key; ${sections}`),
  bad('__proto__: 1', `1:1 __proto__: unknown key; ${sections}`),
  bad('<<: { port: 1 }', `1:1 "<<": ${noMerging}`),
  bad('server: &a { port: 81 }\nmetrics: { <<: *a }', `2:12 metrics."<<": ${noMerging}`),
  bad('server:\n  port: 0', `2:9 server.port: ${port}, not 0`),
  bad('server:\n  port: 65536', `2:9 server.port: ${port}, not 65536`),
  bad('server:\n  port: -1', `2:9 server.port: ${port}, not -1`),
  bad('server:\n  port: 80.5', `2:9 server.port: ${port}, not 80.5`),
  bad('server:\n  port: "8080"', `2:9 server.port: ${port}, not "8080"; did you mean 8080 without quotes?`),
  bad('server:\n  port: http', `2:9 server.port: ${port}, not "http"`),
  bad('server:\n  port:', `2:3 server.port: ${port}, not an empty value`),
  bad('server:\n  port: [8080]', `2:9 server.port: ${port}, not a list`),
  bad('server:\n  port: .inf', `2:9 server.port: ${port}, not Infinity`),
  bad('server:\n  host: a b', '2:9 server.host: expected a host name or an IP address, not "a b"'),
  bad('server:\n  host: 256.0.0.1', '2:9 server.host: expected a host name or an IP address, not "256.0.0.1"'),
  bad('server:\n  host: 8080', '2:9 server.host: expected a host name or an IP address, not 8080'),
  bad('server:\n  max_connections: 0', '2:20 server.max_connections: expected a whole number from 1 to 1000000, not 0'),
  bad(
    'server:\n  worker_threads: 0',
    '2:19 server.worker_threads: expected auto or a whole number from 1 to 1024, not 0',
  ),
  bad(
    'server:\n  worker_threads: atuo',
    '2:19 server.worker_threads: expected auto or a whole number from 1 to 1024, not "atuo"; did you mean auto?',
  ),
  bad('server: 8080', '1:9 server: expected a mapping, not 8080'),
  bad('server:\n  - port: 1', '2:3 server: expected a mapping, not a list'),
  bad('- server', '1:1: expected a mapping, not a list'),
  bad('hello', '1:1: expected a mapping, not the value given'),
  bad(
    'security: { ssl_enabled: on }',
    '1:26 security.ssl_enabled: expected true or false, not "on", which is text in YAML 1.2; did you mean true?',
  ),
  bad(
    'logging: { file: /var/log//network/x.log }',
    '1:18 logging.file: expected an absolute path without .., //, /./ and a slash at its end, not "/var/log//network/x.log"; did you mean /var/log/network/x.log?',
  ),
  bad(
    'auth: { jwt_secret_file: /etc/network/../shadow }',
    '1:26 auth.jwt_secret_file: expected an absolute path without .., //, /./ and a slash at its end, not "/etc/network/../shadow"; did you mean /etc/shadow?',
  ),
  bad(
    'auth: { jwt_secret_file: "//\\u202e\\u001b[2J" }',
    '1:26 auth.jwt_secret_file: expected an absolute path without .., //, /./ and a slash at its end, not "//\\u202e\\u001b[2J"; did you mean /\\u202e\\u001b[2J?',
  ),
  bad(
    'server: { host: "[::1]:8080" }',
    '1:17 server.host: expected a host name or an IP address, not "[::1]:8080"; did you mean ::1, with port: 8080 beside it?',
  ),
  bad('security: { cert_file: server.crt }', '1:24 security.cert_file: expected an absolute path, not "server.crt"'),
  bad(
    'security:\n  allowed_origins: https://a.example',
    '2:20 security.allowed_origins: expected a list, not "https://a.example"',
  ),
  bad(
    'security:\n  allowed_origins:\n    - https://a.example\n    - https://b.example/app',
    '4:7 security.allowed_origins[1]: expected an origin such as https://app.example.com, or *, not "https://b.example/app"',
  ),
  bad(
    'performance: { max_request_size: 10 megs }',
    '1:34 performance.max_request_size: expected a size such as 512KB, 100MB or 1GiB, not "10 megs"',
  ),
  beyond(
    'performance: { max_request_size: 2GB }',
    '1:34 performance.max_request_size: expected a size from 1B to 1.0 GB, not "2GB"',
  ),
  bad(
    'performance: { max_request_size: 0 }',
    '1:34 performance.max_request_size: expected a whole number from 1 to 1000000000 or a size such as 10MB, not 0',
  ),
  bad(
    'performance: { request_timeout_ms: 30s }',
    '1:36 performance.request_timeout_ms: expected a whole number from 1 to 86400000, not "30s"',
  ),
  bad('logging:\n  level: INOF', `2:10 logging.level: ${levels}, not "INOF"; did you mean INFO?`),
  bad('logging:\n  level: info', `2:10 logging.level: ${levels}, not "info"; did you mean INFO?`),
  bad('logging:\n  level: 3', `2:10 logging.level: ${levels}, not 3`),
  bad('logging: { format: text }', '1:20 logging.format: expected json, not "text"'),
  bad('logging: { outputs: [] }', '1:21 logging.outputs: expected a list with at least 1 item, not an empty list'),
  bad(
    'logging:\n  outputs:\n    - type: fle',
    '3:13 logging.outputs[0].type: expected console, file or syslog, not "fle"; did you mean file?',
  ),
  bad('logging:\n  outputs:\n    - type: file', '3:7 logging.outputs[0].path: missing; expected an absolute path'),
  bad(
    'logging:\n  outputs:\n    - type: file\n      path: /a\n      rotation: { max_age: 30 days }',
    '5:28 logging.outputs[0].rotation.max_age: expected a duration such as 500ms, 30s, 5m, 2h, 1d or 2w, not "30 days"',
  ),
  bad(
    'logging:\n  outputs:\n    - { type: console, lvl: INFO }',
    '3:24 logging.outputs[0].lvl: unknown key; expected one of type, level, format',
  ),
  beyond('metrics: { port: 8080 }', '1:18 metrics.port: expected another port than server.port, not 8080'),
  bad('server:\n  port: 1\n  port: 2', '3:3: not valid YAML: duplicate key: it is already set above'),
  bad('server:\n\tport: 1', '2:1: not valid YAML: tab characters must not be used in indentation'),
  bad('server: { port: 1', '1:18: not valid YAML: unexpected end of the stream within a flow collection'),
  bad(
    'server: *missing',
    '1:10: not valid YAML: an alias of nothing above; text that begins with * must stand in quotes',
  ),
  bad(
    'auth: { jwt_secret: *hunter2 }',
    '1:22: not valid YAML: an alias of nothing above; text that begins with * must stand in quotes',
  ),
  bad(
    'auth: { jwt_secret: !hunter2 }',
    '1:21: not valid YAML: a tag that is not known; text that begins with ! must stand in quotes',
  ),
  bad(
    'auth: { jwt_secret: !hunter2!3 x }',
    '1:31: not valid YAML: a tag that cannot be read; text that begins with ! must stand in quotes',
  ),
  bad('server: &a { port: *a }', '1:20: not valid YAML: an alias stands inside of what it refers to'),
  bad(
    'server: !!js/function x',
    '1:9: not valid YAML: a tag that is not known; text that begins with ! must stand in quotes',
  ),
  bad('? [a, b]\n: 1', '1:1: not valid YAML: a key must be a single word or text'),
  bad('server: {}\n---\nserver: {}', '2:1: not valid YAML: a second document begins here; expected only one'),
  bad('"\\x1b[31m\\u202e": 1', `1:1 "\\u001b[31m\\u202e": unknown key; ${sections}`),
  bad(
    'sever:\n  port: 1\nserver:\n  port: x\n  hots: y\nlogging: { level: LOUD }',
    '1:1 sever: unknown key; did you mean server?',
    `4:9 server.port: ${port}, not "x"`,
    '5:3 server.hots: unknown key; did you mean host?',
    `6:19 logging.level: ${levels}, not "LOUD"`,
  ),
  // One key by itself.
  bad(
    'server: { max_connections: 1000001 }',
    '1:28 server.max_connections: expected a whole number from 1 to 1000000, not 1000001',
  ),
  bad(
    'server: { max_connections: 1_000 }',
    '1:28 server.max_connections: expected a whole number from 1 to 1000000, not "1_000"; did you mean 1000 without underscores?',
  ),
  bad(
    'server: { worker_threads: 2000 }',
    '1:27 server.worker_threads: expected auto or a whole number from 1 to 1024, not 2000',
  ),
  bad('security: { ssl_enabled: constructor }', '1:26 security.ssl_enabled: expected true or false, not "constructor"'),
  bad('server: { tls_port: true }', `1:21 server.tls_port: ${port}, not true`),
  bad('server: { host: -a.example }', '1:17 server.host: expected a host name or an IP address, not "-a.example"'),
  bad('server: { host: "" }', '1:17 server.host: expected a host name or an IP address, not ""'),
  bad('server: { host: "fe80::1::2" }', '1:17 server.host: expected a host name or an IP address, not "fe80::1::2"'),
  bad(
    'security: { ssl_enabled: yes }',
    '1:26 security.ssl_enabled: expected true or false, not "yes", which is text in YAML 1.2; did you mean true?',
  ),
  bad(
    'security: { require_tls: off }',
    '1:26 security.require_tls: expected true or false, not "off", which is text in YAML 1.2; did you mean false?',
  ),
  bad(
    'security: { ssl_enabled: "true" }',
    '1:26 security.ssl_enabled: expected true or false, not "true"; did you mean true without quotes?',
  ),
  bad('security: { ssl_enabled: 1 }', '1:26 security.ssl_enabled: expected true or false, not 1'),
  bad(
    'security: { min_tls_version: TLSv1.1 }',
    '1:30 security.min_tls_version: expected one of TLSv1.2, TLSv1.3, not "TLSv1.1"; did you mean TLSv1.2?',
  ),
  bad(
    'security: { ciphers: ALL }',
    '1:13 security.ciphers: unknown key; expected one of auth, ssl_enabled, require_tls, min_tls_version, cert_file, key_file, allowed_origins',
  ),
  beyond(
    'security: { allowed_origins: ["https://a.example:443"] }',
    '1:31 security.allowed_origins[0]: expected an origin such as https://app.example.com, or *, not "https://a.example:443"',
  ),
  bad(
    'security: { allowed_origins: [ftp://a.example] }',
    '1:31 security.allowed_origins[0]: expected an origin such as https://app.example.com, or *, not "ftp://a.example"',
  ),
  bad(
    'auth: { jwt_secret: short-hunter2 }',
    '1:21 auth.jwt_secret: expected text with at least 32 characters, not the value given',
  ),
  bad('auth: { jwt_secret: [hunter2] }', '1:21 auth.jwt_secret: expected text, not a list'),
  bad('auth: { jwt_secret: 0123 }', '1:21 auth.jwt_secret: a number that begins with 0; write it in quotes'),
  bad('auth: { jwt_secret_file: jwt.key }', `1:26 auth.jwt_secret_file: ${path}, not "jwt.key"`),
  bad('auth: { issuer: "" }', '1:17 auth.issuer: expected text with at least 1 character, not ""'),
  bad(
    'performance: { connection_pool_idle_timeout: 60 }',
    `1:46 performance.connection_pool_idle_timeout: ${duration}, not 60`,
  ),
  beyond(
    'performance: { connection_pool_idle_timeout: 0s }',
    '1:46 performance.connection_pool_idle_timeout: expected a duration of at least 1ms, not "0s"',
  ),
  bad(
    'performance: { connection_pool_connect_timeout: 5 sec }',
    `1:49 performance.connection_pool_connect_timeout: ${duration}, not "5 sec"`,
  ),
  bad(
    'performance: { request_timeout_ms: 86400001 }',
    '1:36 performance.request_timeout_ms: expected a whole number from 1 to 86400000, not 86400001',
  ),
  bad(
    'performance: { connection_pool_validate: ja }',
    '1:42 performance.connection_pool_validate: expected true or false, not "ja"',
  ),
  bad(
    'performance: { max_request_size: 1.5 }',
    '1:34 performance.max_request_size: expected a whole number from 1 to 1000000000 or a size such as 10MB, not 1.5',
  ),
  bad('database: { driver: mysql }', '1:21 database.driver: expected one of sqlite, postgres, not "mysql"'),
  bad(
    'database: { driver: postgresql }',
    '1:21 database.driver: expected one of sqlite, postgres, not "postgresql"; did you mean postgres?',
  ),
  bad('database: { password: 12345 }', '1:23 database.password: expected text, not the value given'),
  bad('database: { pool_size: 0 }', '1:24 database.pool_size: expected a whole number of at least 1, not 0'),
  bad(
    'database: { driver: postgres, read_replicas: ["db2:port"] }',
    '1:47 database.read_replicas[0]: expected an address such as db2.example.com or db2.example.com:5432, not "db2:port"',
  ),
  bad('database: { driver: postgres, read_replicas: db2 }', '1:46 database.read_replicas: expected a list, not "db2"'),
  bad('checkpoint: { interval: hourly }', `1:25 checkpoint.interval: ${duration}, not "hourly"`),
  beyond(
    'checkpoint: { interval: 60d, timeout: 25d }\ndatabase: { pool_connect_timeout: 5w }',
    '1:39 checkpoint.timeout: expected a duration of at most 24d, not "25d"',
    '2:35 database.pool_connect_timeout: expected a duration of at most 24d, not "5w"',
  ),
  bad('checkpoint: { keep: 0 }', '1:21 checkpoint.keep: expected a whole number of at least 1, not 0'),
  bad(
    'logging: { outputs: [{ type: syslog, facility: local9 }] }',
    '1:48 logging.outputs[0].facility: expected one of user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, local0, local1, local2, local3, local4, local5, local6, local7, not "local9"; did you mean local0?',
  ),
  bad(
    'logging: { outputs: [{ type: file, path: /a, rotation: { max_backups: -1 } }] }',
    '1:71 logging.outputs[0].rotation.max_backups: expected a whole number of at least 0, not -1',
  ),
  bad(
    'logging: { outputs: [{ level: INFO }] }',
    '1:22 logging.outputs[0].type: missing; expected console, file or syslog',
  ),
  bad(
    'logging: { outputs: [{ type: syslog, address: "tcp:log:601" }] }',
    '1:47 logging.outputs[0].address: expected an address such as udp://127.0.0.1:514, tcp://log.example.com:601 or unix:/run/log.sock, not "tcp:log:601"',
  ),
  beyond(
    'logging: { outputs: [{ type: syslog, address: "udp://a:99999" }] }',
    '1:47 logging.outputs[0].address: expected an address such as udp://127.0.0.1:514, tcp://log.example.com:601 or unix:/run/log.sock, not "udp://a:99999"',
  ),
  bad('access_log: { max_age: 90 }', '1:24 access_log.max_age: expected a duration such as 30d, not 90'),
  bad('error_log: { level: warn }', `1:21 error_log.level: ${levels}, not "warn"; did you mean WARN?`),
  bad('logging: { max_files: many }', '1:23 logging.max_files: expected a whole number of at least 1, not "many"'),
  // What YAML makes of it.
  beyond(
    'server:\n  port: 0777',
    '2:9 server.port: 0777 is the number 777 in YAML 1.2 and an octal one in YAML 1.1; write 777',
  ),
  bad(
    'server:\n  host: 0777',
    '2:9 server.host: 0777 is the number 777 in YAML 1.2 and an octal one in YAML 1.1; write "0777" in quotes',
  ),
  bad('server: {port: 1}}', '1:18: not valid YAML: bad indentation of a mapping entry'),
  bad('server:\n  host: a: b', '2:10: not valid YAML: bad indentation of a mapping entry'),
  bad('server: [1, 2', '1:14: not valid YAML: unexpected end of the stream within a flow collection'),
  bad('server:\n port: 1\n  host: a', '3:7: not valid YAML: bad indentation of a mapping entry'),
  bad('server: "unfinished', '1:20: not valid YAML: unexpected end of the stream within a double quoted scalar'),
  bad('%YAML 9.9\n---\nserver: {}', '2:1: not valid YAML: unacceptable YAML version of the document'),
  // What keys say of each other.
  bad(
    'security: { ssl_enabled: true }',
    '1:26 security.cert_file: missing; security.ssl_enabled is true: expected an absolute path',
    '1:26 security.key_file: missing; security.ssl_enabled is true: expected an absolute path',
  ),
  bad(
    'security: { cert_file: /a.crt }',
    '1:24 security.key_file: missing; security.cert_file is set: expected the absolute path of its key',
  ),
  bad(
    'security: { key_file: /a.key }',
    '1:23 security.cert_file: missing; security.key_file is set: expected the absolute path of its certificate',
  ),
  bad(
    'security: { require_tls: true }',
    '1:26 security.require_tls: expected false while security.ssl_enabled is false: nothing would be served, not true',
  ),
  bad(
    'security: { allowed_origins: ["*", "https://a.example"] }',
    '1:30 security.allowed_origins: expected * alone, or origins without it, not a list',
  ),
  bad('auth: { enabled: true }', '1:9 auth.enabled: unknown key; did you mean security.auth?'),
  bad('security: { auth: off }', '1:19 security.auth: expected one of token, none, not "off"'),
  bad(
    `auth: { jwt_secret: ${secret}, jwt_secret_file: /k }`,
    '1:72 auth.jwt_secret_file: expected only one of jwt_secret and jwt_secret_file, not "/k"',
  ),
  bad(
    'database: { password: a, password_file: /b }',
    '1:41 database.password_file: expected only one of password and password_file, not "/b"',
  ),
  bad(
    'database: { ssl_mode: verify-ca }',
    '1:23 database.ssl_mode: expected one of disable, require, verify-full, not "verify-ca"',
  ),
  bad('database: { ssl_ca_file: ca.crt }', '1:26 database.ssl_ca_file: expected an absolute path, not "ca.crt"'),
  bad(
    'database: { ssl_mode: require, ssl_ca_file: /ca.crt }',
    '1:23 database.ssl_mode: expected verify-full while database.ssl_ca_file is set: nothing else looks at certificates, not "require"',
  ),
  bad(
    'database: { ssl_mode: verify-full }',
    '1:23 database.ssl_ca_file: missing; database.ssl_mode is verify-full: expected the absolute path of the certificates of its authorities',
  ),
  bad(
    'database: { read_replicas: [db2] }',
    '1:28 database.read_replicas: expected none while database.driver is sqlite, not a list',
  ),
  beyond(
    `${tls}server: { port: 8443 }`,
    '5:17 server.tls_port: expected another port than server.port; its default does not fit',
  ),
  beyond(`${tls}server: { tls_port: 9090 }`, '5:21 server.tls_port: expected another port than metrics.port, not 9090'),
  beyond(
    'server: { port: 9090 }',
    '1:17 metrics.port: expected another port than server.port; its default does not fit',
  ),
  beyond(
    'performance: { connection_pool_size: 2000 }',
    '1:38 performance.connection_pool_size: expected at most server.max_connections, 1000, not 2000',
  ),
  beyond(
    'server: { max_connections: 50 }\nperformance: { connection_pool_size: 51 }',
    '2:38 performance.connection_pool_size: expected at most server.max_connections, 50, not 51',
  ),
  beyond(
    'performance: { connection_pool_min_size: 200 }',
    '1:42 performance.connection_pool_min_size: expected at most performance.connection_pool_size, 100, not 200',
  ),
  beyond(
    'database: { pool_size: 3, pool_min_idle: 4 }',
    '1:42 database.pool_min_idle: expected at most database.pool_size, 3, not 4',
  ),
  beyond(
    'checkpoint: { interval: 1m }',
    '1:25 checkpoint.timeout: expected less than checkpoint.interval, or checkpoints would overlap; its default does not fit',
  ),
  beyond(
    'checkpoint: { interval: 10m, timeout: 10m }',
    '1:39 checkpoint.timeout: expected less than checkpoint.interval, or checkpoints would overlap, not "10m"',
  ),
  beyond(
    'logging: { outputs: [{ type: file, path: /a }, { type: file, path: /a }] }',
    '1:21 logging.outputs: expected each file once; /a is written twice, not a list',
  ),
  beyond(
    'logging: { file: /a }\nerror_log: { file: /a }',
    '2:20 error_log.file: expected another file than those of logging, not "/a"',
  ),
  beyond(
    'error_log: { file: /a }\naccess_log: { file: /a }',
    '2:21 access_log.file: expected another file than those of logging and error_log, not "/a"',
  ),
  // All at once, also where one is between keys and another in one key.
  bad(
    'checkpoint: { interval: 1m }\nserver: { port: x }',
    '1:25 checkpoint.timeout: expected less than checkpoint.interval, or checkpoints would overlap; its default does not fit',
    `2:17 server.port: ${port}, not "x"`,
  ),
  bad(
    'metrics: { port: x }\nserver: { prot: 9090 }',
    `1:18 metrics.port: ${port}, not "x"`,
    '2:11 server.prot: unknown key; did you mean port?',
  ),
]

/** Environments that are refused, beside a file without content unless there is one. */
export interface BadEnvironment {
  readonly env: Readonly<Record<string, string>>
  readonly lines: readonly string[]
  readonly text?: string
}

export const badEnvironments: readonly BadEnvironment[] = [
  ...(
    [
      ['NETWORK_SERVER_PORT', 'abc', `server.port: ${port}, not "abc"`],
      ['NETWORK_SERVER_PORT', '70000', `server.port: ${port}, not 70000`],
      ['NETWORK_SERVER_PORT', '-1', `server.port: ${port}, not -1`],
      ['NETWORK_SERVER_PORT', 'tcp://10.0.0.1:8080', `server.port: ${port}, not "tcp://10.0.0.1:8080"`],
      ['NETWORK_SERVER_HOST', 'a b', 'server.host: expected a host name or an IP address, not "a b"'],
      ['NETWORK_LOG_LEVEL', 'debug', `logging.level: ${levels}, not "debug"; did you mean DEBUG?`],
      ['NETWORK_LOGGING_LEVEL', 'LOUD', `logging.level: ${levels}, not "LOUD"`],
      [
        'NETWORK_SSL_ENABLED',
        'yes',
        'security.ssl_enabled: expected true or false, not "yes", which is text in YAML 1.2; did you mean true?',
      ],
      ['NETWORK_SECURITY_REQUIRE_TLS', '1', 'security.require_tls: expected true or false, not "1"'],
      ['NETWORK_MAX_CONNECTIONS', '0', 'server.max_connections: expected a whole number from 1 to 1000000, not 0'],
      [
        'NETWORK_SERVER_MAX_CONNECTIONS',
        '1e3',
        'server.max_connections: expected a whole number from 1 to 1000000, not "1e3"',
      ],
      [
        'NETWORK_SERVER_WORKER_THREADS',
        '0',
        'server.worker_threads: expected auto or a whole number from 1 to 1024, not 0',
      ],
      [
        'NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE',
        'x',
        'performance.connection_pool_size: expected a whole number of at least 1, not "x"',
      ],
      [
        'NETWORK_PERFORMANCE_BUFFER_SIZE',
        '0',
        'performance.buffer_size: expected a whole number from 1 to 1000000000 or a size such as 10MB, not 0',
      ],
      [
        'NETWORK_PERFORMANCE_CONNECTION_POOL_IDLE_TIMEOUT',
        '60',
        `performance.connection_pool_idle_timeout: ${duration}, not "60"`,
      ],
      ['NETWORK_CHECKPOINT_INTERVAL', 'often', `checkpoint.interval: ${duration}, not "often"`],
      ['NETWORK_SECURITY_CERT_FILE', 'server.crt', `security.cert_file: ${path}, not "server.crt"`],
      [
        'NETWORK_AUTH_JWT_SECRET',
        'hunter2',
        'auth.jwt_secret: expected text with at least 32 characters, not the value given',
      ],
      [
        'NETWORK_SECURITY_ALLOWED_ORIGINS',
        'https://a.example,b.example',
        'security.allowed_origins[1]: expected an origin such as https://app.example.com, or *, not "b.example"',
      ],
      ['NETWORK_LOGGING_OUTPUTS', 'console', 'logging.outputs: expected a list, not "console"'],
      [
        'NETWORK_LOGGING_OUTPUTS',
        '[{"type":"fle"}]',
        'logging.outputs[0].type: expected console, file or syslog, not "fle"; did you mean file?',
      ],
      ['NETWORK_DATABASE_DRIVER', 'oracle', 'database.driver: expected one of sqlite, postgres, not "oracle"'],
      ['NETWORK_METRICS_PORT', '8080', 'metrics.port: expected another port than server.port, not 8080'],
      ['NETWORK_SERVER_PORT', '9090', 'metrics.port: expected another port than server.port; its default does not fit'],
      [
        'NETWORK_SECURITY_REQUIRE_TLS',
        'true',
        'security.require_tls: expected false while security.ssl_enabled is false: nothing would be served, not true',
      ],
      ['NETWORK_SECURITY_AUTH', 'off', 'security.auth: expected one of token, none, not "off"'],
    ] as const
  ).map(([name, value, line]) => ({ env: { [name]: value }, lines: [`${name} ${line}`] })),
  {
    env: { NETWORK_SSL_ENABLED: 'true' },
    lines: ['cert_file', 'key_file'].map(
      (name) =>
        `NETWORK_SSL_ENABLED security.${name}: missing; security.ssl_enabled is true: expected an absolute path`,
    ),
  },
  {
    env: { NETWORK_LOG_LEVEL: 'INFO', NETWORK_LOGGING_LEVEL: 'DEBUG' },
    lines: ['NETWORK_LOG_LEVEL logging.level: says something else than NETWORK_LOGGING_LEVEL; set only one of them'],
  },
  {
    text: 'performance: { connection_pool_size: 80 }',
    env: { NETWORK_MAX_CONNECTIONS: '50' },
    lines: ['config.yaml:1:38 performance.connection_pool_size: expected at most server.max_connections, 50, not 80'],
  },
  {
    text: 'server: { port: x }',
    env: { NETWORK_METRICS_PORT: 'y' },
    lines: [`config.yaml:1:17 server.port: ${port}, not "x"`, `NETWORK_METRICS_PORT metrics.port: ${port}, not "y"`],
  },
]

const host = 'hosts: { web1: { address: 10.0.0.1 } }\n'
const name = 'expected a name of a-z, 0-9 and -'
const hostKeys = 'expected one of address, port, roles, tags, ssh, config'
const from = 'expected one of file, env and command'
const way = 'expected [user@]host[:port], several separated by commas, or none'
const file = (entry: string): string => `${host}files:\n  - ${entry}\n`
const words = 'expected a command as a list of words'

export const badFleetFiles: readonly BadFile[] = [
  bad('', '1:1 hosts: missing; expected at least one host, or hosts_from'),
  bad('hosts: {}', '1:8 hosts: missing; expected at least one host, or hosts_from, not a mapping'),
  bad('hosts:\n  web1:', '2:3 hosts.web1: expected a mapping, not an empty value'),
  bad('hosts: [web1]', '1:8 hosts: expected a mapping, not a list'),
  bad('hosts:\n  Web 1: { address: a }', `2:3 hosts."Web 1": ${name}, not "Web 1"`),
  bad('hosts:\n  ../x: { address: a }', `2:3 hosts.../x: ${name}, not "../x"`),
  bad('hosts:\n  web1: {}', '2:9 hosts.web1.address: missing; expected a host name or an IP address'),
  bad(
    'hosts:\n  web1: { adress: a }',
    '2:9 hosts.web1.address: missing; expected a host name or an IP address',
    '2:11 hosts.web1.adress: unknown key; did you mean address?',
  ),
  bad('hosts:\n  web1: { address: a, cores: 2 }', `2:23 hosts.web1.cores: unknown key; ${hostKeys}`),
  bad(
    'hosts:\n  web1: { address: 10.0.0.256 }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "10.0.0.256"',
  ),
  bad(
    'hosts:\n  web1: { address: 10.0.0.1:22 }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "10.0.0.1:22"; did you mean 10.0.0.1, with port: 22 beside it?',
  ),
  bad(
    'hosts:\n  web1: { address: "web1.example.com:22424" }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "web1.example.com:22424"; did you mean web1.example.com, with port: 22424 beside it?',
  ),
  bad(
    'hosts:\n  web1: { address: "[::1]" }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "[::1]"; did you mean ::1?',
  ),
  bad(
    'hosts:\n  web1: { address: "[fe80::1%eth0]:2222" }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "[fe80::1%eth0]:2222"; did you mean fe80::1%eth0, with port: 2222 beside it?',
  ),
  bad(
    'hosts:\n  web1: { address: ops@web1 }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "ops@web1"; did you mean web1, with ssh: { user: ops }?',
  ),
  bad(
    'hosts:\n  web1: { address: "fe80::1%eth0;id" }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "fe80::1%eth0;id"',
  ),
  beyond(
    'hosts:\n  web1: { address: "fe80::1::2%eth0" }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "fe80::1::2%eth0"',
  ),
  bad(
    'hosts:\n  web1: { address: "web1%eth0" }',
    '2:20 hosts.web1.address: expected a host name or an IP address, not "web1%eth0"',
  ),
  bad('hosts:\n  web1: { address: a, port: 65536 }', `2:29 hosts.web1.port: ${port}, not 65536`),
  bad('hosts:\n  web1: { address: a, roles: backend }', '2:30 hosts.web1.roles: expected a list, not "backend"'),
  bad('hosts:\n  web1: { address: a, tags: [Big One] }', `2:30 hosts.web1.tags[0]: ${name}, not "Big One"`),
  bad(
    'host:\n  web1: { address: a }',
    '1:1 host: unknown key; did you mean hosts?',
    '1:1 hosts: missing; expected at least one host, or hosts_from',
  ),
  bad(`${host}enviroment: staging`, '2:1 enviroment: unknown key; did you mean environment?'),
  bad(`${host}environment: Staging Area`, `2:14 environment: ${name}, not "Staging Area"`),
  bad(`${host}environment: [production]`, '2:14 environment: expected text, not a list'),
  bad(`${host}config: production.yaml`, '2:9 config: expected a mapping, not "production.yaml"'),
  bad(`${host}config: {}`, '2:9 config.file: missing; expected text'),
  bad(`${host}config: { file: "" }`, '2:17 config.file: expected text with at least 1 character, not ""'),
  bad(`${host}ssh: { user: "" }`, '2:14 ssh.user: expected text with at least 1 character, not ""'),
  bad(
    `${host}ssh: { password: hunter2 }`,
    '2:8 ssh.password: unknown key; expected one of user, port, identity, known_hosts, jump, connect_timeout, become, become_password',
  ),
  ...['$(id)', '-oProxyCommand=id', 'a;b', 'a`b', 'a -b', '$HOME', "a'b", 'a|b', 'a&b', 'a>b', 'a\tb\u0007'].map(
    (user) =>
      bad(
        `${host}ssh: { user: ${JSON.stringify(user)} }`,
        `2:14 ssh.user: expected the name of an account, without what a shell would read, not ${JSON.stringify(user)}`,
      ),
  ),
  bad(`${host}ssh: { jump: "$(id)@bastion" }`, `2:14 ssh.jump: ${way}, not "$(id)@bastion"`),
  bad(`${host}ssh: { jump: "ops@$(id)" }`, `2:14 ssh.jump: ${way}, not "ops@$(id)"`),
  bad(`${host}ssh: { jump: "-oProxyCommand=id@bastion" }`, `2:14 ssh.jump: ${way}, not "-oProxyCommand=id@bastion"`),
  bad(`${host}ssh: { become_password: HUNTER2 }`, `2:25 ssh.become_password: ${from}, not the value given`),
  bad(`${host}ssh: { become_password: [HUNTER2] }`, `2:25 ssh.become_password: ${from}, not a list`),
  bad(`${host}ssh: { become_password: { HUNTER2: 1 } }`, `2:25 ssh.become_password: ${from}, not a mapping`),
  bad(
    `${host}ssh: { become_password: { env: HUNTER-2 } }`,
    '2:32 ssh.become_password.env: expected the name of a variable, not the value given',
  ),
  bad(
    'hosts:\n  web1: { address: a, ssh: { become_password: HUNTER2 } }',
    `2:47 hosts.web1.ssh.become_password: ${from}, not the value given`,
  ),
  bad(
    'base: &base { address: a }\nhosts:\n  web1: { <<: *base }',
    '1:1 base: unknown key; expected one of $schema, environment, config, files, ssh, hosts, hosts_from, groups, deploy, backup, hooks',
    '3:9 hosts.web1.address: missing; expected a host name or an IP address',
    `3:11 hosts.web1."<<": ${noMerging}; what hosts have in common stands once in a group: groups.NAME.ssh, .config, .tags`,
  ),
  bad(
    'hosts:\n  web1: &a { address: a }\n  <<: { web2: *a }',
    `3:3 hosts."<<": ${noMerging}; what hosts have in common stands once in a group: groups.NAME.ssh, .config, .tags`,
  ),
  bad(`${host}ssh: { port: ssh }`, `2:14 ssh.port: ${port}, not "ssh"`),
  bad(`${host}ssh: { known_host: a }`, '2:8 ssh.known_host: unknown key; did you mean known_hosts?'),
  bad('hosts_from: ./hosts', '1:13 hosts_from: expected a mapping, not "./hosts"'),
  bad('hosts_from: {}', `1:13 hosts_from.command: missing; ${words}`),
  bad('hosts_from: { command: ./hosts }', `1:24 hosts_from.command: ${words}, not "./hosts"`),
  bad('hosts_from: { command: [] }', `1:24 hosts_from.command: ${words} with at least 1 item, not an empty list`),
  bad('hosts_from: { command: [a, 5] }', '1:28 hosts_from.command[1]: expected text, not 5'),
  bad('hosts_from: { command: [a], timeout: 30 }', '1:38 hosts_from.timeout: expected a duration such as 30s, not 30'),
  beyond(
    `${host}groups: { edge: { hosts: [web2] } }`,
    '2:27 groups.edge.hosts[0]: expected a host of this fleet: web1, not "web2"',
  ),
  beyond(
    `${host}groups: { edge: { hosts: [constructor] } }`,
    '2:27 groups.edge.hosts[0]: expected a host of this fleet: web1, not "constructor"',
  ),
  beyond(
    `${host}groups: { web1: { hosts: [web1] } }`,
    '2:17 groups.web1: expected another name than that of a host, not a mapping',
  ),
  bad(`${host}groups: { edge: [web1] }`, '2:17 groups.edge: expected a mapping, not a list'),
  bad(`${host}groups: { edge: { host: [web1] } }`, '2:19 groups.edge.host: unknown key; did you mean hosts?'),
  bad(`${host}groups: { edge: { hosts: web1 } }`, '2:26 groups.edge.hosts: expected a list, not "web1"'),
  beyond(
    'hosts:\n  web1: { address: a }\n  web2: { address: A }',
    '3:20 hosts.web2.address: expected another address than that of web1, not "A"',
  ),
  bad(
    `${host}groups: { edge: { hosts: [web1], config: { server: { prot: 81 } } } }`,
    '2:54 groups.edge.config.server.prot: unknown key; did you mean port?',
  ),
  bad(
    `${host}groups: { edge: { hosts: [web1], config: { auth: { jwt_secret: hunter2 } } } }`,
    '2:64 groups.edge.config.auth.jwt_secret: expected text with at least 32 characters, not the value given',
  ),
  bad(
    'hosts:\n  web1: { address: a, config: { server: { port: x } } }',
    `2:49 hosts.web1.config.server.port: ${port}, not "x"`,
  ),
  bad(
    'hosts:\n  web1: { address: a, config: { sever: {} } }',
    '2:33 hosts.web1.config.sever: unknown key; did you mean server?',
  ),
  bad('hosts:\n  web1: { address: a, config: [] }', '2:31 hosts.web1.config: expected a mapping, not an empty list'),
  bad(file('{ to: /etc/network/a }'), `3:5 files[0].from: missing; ${from}`),
  bad(file('{ from: a, to: /etc/network/a }'), `3:13 files[0].from: ${from}, not the value given`),
  bad(file('{ from: { file: a, env: B }, to: /etc/network/a }'), `3:13 files[0].from: ${from}, not a mapping`),
  bad(
    file('{ from: { env: A-B }, to: /etc/network/a }'),
    '3:20 files[0].from.env: expected the name of a variable, not the value given',
  ),
  bad(
    file('{ from: { command: vault read }, to: /etc/network/a }'),
    `3:24 files[0].from.command: ${words}, not the value given`,
  ),
  bad(file('{ from: { file: a } }'), '3:5 files[0].to: missing; expected an absolute path without ..'),
  bad(file('{ from: { file: a }, to: etc/a }'), '3:30 files[0].to: expected an absolute path without .., not "etc/a"'),
  bad(
    file('{ from: { file: a }, to: /etc/network/../shadow }'),
    '3:30 files[0].to: expected an absolute path without .., not "/etc/network/../shadow"; did you mean /etc/shadow?',
  ),
  bad(
    file('{ from: { file: a }, to: /etc//network_system/config.yaml }'),
    '3:30 files[0].to: expected an absolute path without .., // and /./, not "/etc//network_system/config.yaml"; did you mean /etc/network_system/config.yaml?',
  ),
  bad(
    file('{ from: { file: a }, to: /etc/./network_system/config.yaml }'),
    '3:30 files[0].to: expected an absolute path without .., // and /./, not "/etc/./network_system/config.yaml"; did you mean /etc/network_system/config.yaml?',
  ),
  bad(
    file('{ from: { file: a }, to: //opt/network_system/x }'),
    '3:30 files[0].to: expected an absolute path without .., // and /./, not "//opt/network_system/x"; did you mean /opt/network_system/x?',
  ),
  bad(
    file('{ from: { file: a }, to: /etc/network/. }'),
    '3:30 files[0].to: expected an absolute path without .., // and /./, not "/etc/network/."; did you mean /etc/network?',
  ),
  bad(
    file('{ from: { file: a }, to: /etc/network/ }'),
    '3:30 files[0].to: expected an absolute path without .., not "/etc/network/"; did you mean /etc/network?',
  ),
  beyond(
    file('{ from: { file: a }, to: /etc/network_system/config.yaml }'),
    '3:30 files[0].to: expected another path: this one is netops’ own, not "/etc/network_system/config.yaml"',
  ),
  beyond(
    file('{ from: { file: a }, to: /opt/network_system/x }'),
    '3:30 files[0].to: expected another path: this one is netops’ own, not "/opt/network_system/x"',
  ),
  beyond(
    file('{ from: { file: a }, to: /opt }'),
    '3:30 files[0].to: expected another path: this one is netops’ own, not "/opt"',
  ),
  beyond(
    file('{ from: { file: a }, to: /usr/local/bin/netops }'),
    '3:30 files[0].to: expected another path: this one is netops’ own, not "/usr/local/bin/netops"',
  ),
  ...['/var/lib/network_system/seed.key', '/var/log/network/a/b', '/run/network_service/x'].map((to) =>
    beyond(
      file(`{ from: { file: a }, to: ${to} }`),
      `3:30 files[0].to: expected a folder that is not the service’s own, such as /etc/network, not "${to}"`,
    ),
  ),
  bad(
    file('{ from: { file: a }, to: /a, mode: 0600 }'),
    '3:40 files[0].mode: 0600 is the number 600 in YAML 1.2 and an octal one in YAML 1.1; write "0600" in quotes',
  ),
  bad(
    file('{ from: { file: a }, to: /a, mode: 600 }'),
    '3:40 files[0].mode: expected a mode in quotes, such as "0600", not 600',
  ),
  bad(
    file('{ from: { file: a }, to: /a, mode: "4755" }'),
    '3:40 files[0].mode: expected a mode in quotes, such as "0600", not "4755"',
  ),
  bad(
    file('{ from: { file: a }, to: /a, owner: "Root" }'),
    '3:41 files[0].owner: expected an account, or account:group, not "Root"',
  ),
  beyond(
    file('{ from: { file: a }, to: /a, hosts: [web2] }'),
    '3:42 files[0].hosts[0]: expected a host or a group of this fleet: web1, not "web2"',
  ),
  beyond(
    file('{ from: { file: a }, to: /a }\n  - { from: { file: b }, to: /a }'),
    '4:30 files[1].to: expected each file once, not "/a"',
  ),
  bad(`${host}deploy: { min_healthy_time: 10 }`, `2:29 deploy.min_healthy_time: ${duration}, not 10`),
  bad(`${host}hooks: { pre_deply: [a] }`, '2:10 hooks.pre_deply: unknown key; did you mean pre_deploy?'),
  bad(
    `${host}hooks: { pre_deploy: notify }`,
    '2:22 hooks.pre_deploy: expected a command as a list of words, or a list of such commands, not "notify"',
  ),
  bad(
    `${host}hooks: { pre_deploy: [[]] }`,
    '2:23 hooks.pre_deploy[0]: expected a list with at least 1 item, not an empty list',
  ),
  bad(
    'hosts:\n  web1: { address: a }\n  web1: { address: b }',
    '3:3: not valid YAML: duplicate key: it is already set above',
  ),
  bad('hosts:\n\tweb1: { address: a }', '2:1: not valid YAML: tab characters must not be used in indentation'),
  bad('hosts: &a { web1: *a }', '1:19: not valid YAML: an alias stands inside of what it refers to'),
]
