// Entry of network_server. What is heavy is loaded only when it serves: --version and --check-config answer at once.
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ServerConfig } from '../model/server-config.ts'
import { exitCodes, messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { mostOfConfig, readFileUpToNow } from '../system/bounded.ts'
import { buildInfo } from '../system/build-info.ts'
import { openNoDebugger, surviveSignals } from '../system/signals.ts'
import type { Credentials } from './credentials.ts'
import { help, parseFlags, type Request } from './flags.ts'
import { isOperation } from './operate/words.ts'
import type { ServiceControls } from './service.ts'
import type { StorePlace } from './store/open.ts'

// A chain of certificates has some KB.
const mostOfCredential = 2 ** 20

type Start = Extract<Request, { kind: 'serve' | 'check' | 'migrate' | 'data-schema' }>

async function main(): Promise<number> {
  openNoDebugger()
  const argv = process.argv.slice(2)
  if (isOperation(argv)) return (await import('./operate/operate.ts')).operate(argv, print)
  const request = parseFlags(argv)
  switch (request.kind) {
    case 'help':
      print(help)
      return 0
    case 'version':
      print(`network_server ${buildInfo.version} (${buildInfo.commit})`)
      return 0
    case 'check':
      return check(request)
    case 'migrate':
      return migrate(request)
    case 'data-schema':
      return tellSchema(request)
    case 'serve':
      return serve(request)
  }
}

async function check(request: Start): Promise<number> {
  const { source, notes, warnings, credentials } = await load(request, 'required')
  const all = [...notes, ...warnings, ...credentials.notes]
  print([`${source}: valid`, ...all.map((note) => `${source}: note: ${note}`)].join('\n'))
  return 0
}

async function migrate(request: Start): Promise<number> {
  const place = await storePlace(request)
  const { migrateStore } = await import('./store/migrate.ts')
  if (place.config.database.driver === 'sqlite') {
    const { becomeOwner } = await import('./operate/owner.ts')
    await becomeOwner(place.dataDir)
  }
  print((await migrateStore(place, request)).join('\n'))
  return 0
}

async function tellSchema(request: Start): Promise<number> {
  const place = await storePlace(request)
  const { tellDataSchema } = await import('./store/migrate.ts')
  print(JSON.stringify(await tellDataSchema(place)))
  return 0
}

async function storePlace(request: Start): Promise<StorePlace> {
  const { config } = await load(request, request.config === undefined ? 'optional' : 'required')
  const root = resolve(request.root)
  return { config, root, dataDir: hostPaths(root).dataDir }
}

async function serve(request: Start): Promise<never> {
  const controls = watchProcess()
  const loaded = await load(request, request.config === undefined ? 'optional' : 'required')
  const { releaseOf } = await import('./release.ts')
  const release = releaseOf(realpathSync(process.execPath), process.env, buildInfo.version)
  const { runService } = await import('./service.ts')
  const { version, commit } = buildInfo
  // A file that was there and is gone is a mistake, and no wish for the defaults.
  const reread = () => load(request, loaded.source === 'defaults' ? 'optional' : 'required')
  const root = resolve(request.root)
  const code = await runService({ ...loaded, reread, root, version, commit, release }, controls)
  // Whatever is still open belongs to connections and checks that nobody waits for any more.
  process.exit(code)
}

interface Loaded {
  readonly config: ServerConfig
  readonly credentials: Credentials
  readonly source: string
  readonly notes: readonly string[]
  readonly warnings: readonly string[]
}

/** What a start needs, and all that a check checks. */
async function load(request: Start, file: 'required' | 'optional'): Promise<Loaded> {
  const { readServerConfig } = await import('../config/server-config.ts')
  const { loadCredentials } = await import('./credentials.ts')
  const root = resolve(request.root)
  const path = request.config ?? hostPaths(root).config
  const text = readConfig(path, file)
  const { value: config, notes, warnings } = readServerConfig(text ?? '', path, { env: process.env, set: request.set })
  const now = new Date()
  const credentials = loadCredentials(config, {
    root,
    instead: request.instead,
    read: (name) => readFileUpToNow(name, mostOfCredential),
    now,
  })
  return { config, credentials, source: text === undefined ? 'defaults' : path, notes, warnings }
}

function readConfig(path: string, file: 'required' | 'optional'): string | undefined {
  try {
    return readFileUpToNow(path, mostOfConfig).toString('utf8')
  } catch (error) {
    if (file === 'optional' && systemCode(error) === 'ENOENT') return undefined
    const hint = 'name the configuration with --config FILE'
    throw new NetopsError('usage', { message: `cannot read the configuration ${path}: ${messageOf(error)}`, hint })
  }
}

/**
 * Connects signals, crashes and warnings of the process. The second signal to stop ends it where it is; one that asks for
 * no stop ends nothing.
 */
function watchProcess(): ServiceControls {
  const onIgnored = tellLater(surviveSignals)
  const stopped = new Promise<string>((settle) => {
    let signals = 0
    const onSignal = (signal: string) => {
      signals += 1
      if (signals > 1) process.exit(1)
      settle(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
  const crashed = new Promise<unknown>((settle) => {
    process.on('uncaughtException', settle)
    process.on('unhandledRejection', settle)
  })
  // Node's own listener writes to standard error, between lines of JSON.
  process.removeAllListeners('warning')
  const onWarning = (listener: (warning: Error) => void) => {
    process.on('warning', (warning) => {
      if (warning.name !== 'ExperimentalWarning') listener(warning)
    })
  }
  return { stopped, crashed, onIgnored, onWarning }
}

/** What is told before anybody listens is kept for whoever does. */
function tellLater(watch: (tell: (signal: string) => void) => void): (listener: (signal: string) => void) => void {
  const early: string[] = []
  let tell = (signal: string): void => void early.push(signal)
  watch((signal) => tell(signal))
  return (listener) => {
    tell = listener
    early.splice(0).forEach(listener)
  }
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

// A reader that goes away must not end the service.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (systemCode(error) !== 'EPIPE') throw error
  })
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    const known = error instanceof NetopsError
    const text = known
      ? error.message
      : `network_server: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
    process.stderr.write(`${text}\n${known && error.hint !== undefined ? `  hint: ${error.hint}\n` : ''}`)
    process.exitCode = known ? error.exit : exitCodes.failed.exit
  },
)
