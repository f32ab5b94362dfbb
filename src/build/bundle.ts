// One executable's sources as one CommonJS file, which is what Node can embed. Lazy imports stay lazy in it.
import { basename } from 'node:path'
import { build, type BuildFailure, type Message, type Metafile, type Plugin } from 'esbuild'
import { NetopsError } from '../model/errors.ts'
import { joinChunks } from './chunks.ts'

export interface BundleRequest {
  /** The checkout's folder: paths in messages are relative to it. */
  readonly checkout: string
  /** The entry, relative to the checkout. */
  readonly entry: string
  /** Global names of the build's facts (src/system/build-info.ts) with their values. */
  readonly facts: Readonly<Record<string, string>>
}

export interface Bundle {
  readonly code: string
  readonly warnings: readonly string[]
  /** The files that are evaluated at start, before any lazy import; relative to the checkout, sorted. */
  readonly eager: readonly string[]
}

// Not for embedding: native addons cannot be loaded from inside an executable (ssh2 runs without them), and the
// bundler and injector, which `netops build` refuses to run from inside one.
const external = ['cpu-features', '*.node', 'esbuild', 'postject']

/**
 * What comes with a CommonJS package and is used by nothing here: the bundler cannot know that, and it would be loaded each
 * time. ssh2's own server, its agents for HTTP and its generator of keys take a thirtieth of `netops exec` on ten hosts.
 */
const leftOut: Plugin = {
  name: 'left-out',
  setup: (building) => {
    const filter = /\/ssh2\/lib\/(?:http-agents|keygen|server)\.js$|\/pg\/lib\/native\/index\.js$/
    const nothing = { contents: 'module.exports = {}' }
    building.onLoad({ filter }, () => nothing)
    // commander starts programs that stand for subcommands, ssh2 an agent of Windows: two to three milliseconds of each start.
    building.onResolve({ filter: /^(?:node:)?child_process$/ }, ({ importer }) =>
      /\/node_modules\/(?:commander|ssh2)\//.test(importer) ? { path: 'nothing', namespace: 'left-out' } : undefined,
    )
    // pg's way through libpq and its sockets for Cloudflare: neither is installed, both would be asked for by name.
    building.onResolve({ filter: /^pg-(?:native|cloudflare)$/ }, () => ({ path: 'nothing', namespace: 'left-out' }))
    building.onLoad({ filter: /./, namespace: 'left-out' }, () => nothing)
  },
}

const prelude = 'const __netops_url=require("node:url").pathToFileURL(__filename).href;'

/**
 * Bundles an entry with everything it imports.
 * @throws NetopsError `failed` with the place of each error as FILE:LINE:COLUMN
 */
export async function bundle(request: BundleRequest): Promise<Bundle> {
  const facts = Object.entries(request.facts).map(([name, value]): [string, string] => [name, JSON.stringify(value)])
  try {
    const result = await build({
      absWorkingDir: request.checkout,
      entryPoints: { main: request.entry },
      bundle: true,
      splitting: true,
      write: false,
      metafile: true,
      format: 'esm',
      outdir: '/',
      platform: 'node',
      target: 'node24',
      // Names stay as written: they are what a stack trace from inside an executable has to offer.
      minifyWhitespace: true,
      minifySyntax: true,
      legalComments: 'none',
      // A linked node_modules must not put its real path into the bytes.
      preserveSymlinks: true,
      external,
      plugins: [leftOut],
      // Inside an executable a module's place is the executable itself.
      define: {
        'import.meta.url': '__netops_url',
        'import.meta.dirname': '__dirname',
        'import.meta.filename': '__filename',
        ...Object.fromEntries(facts),
      },
      logLevel: 'silent',
    })
    const chunks = result.outputFiles.map(({ path, text }) => ({ name: `./${basename(path)}`, code: text }))
    return {
      code: await joinChunks(prelude, './main.js', chunks),
      warnings: result.warnings.map(describeMessage),
      eager: eagerFiles(result.metafile, request.entry),
    }
  } catch (thrown) {
    throw isBuildFailure(thrown) ? failure(request.entry, thrown) : thrown
  }
}

/** The files that a module evaluates when it is loaded: itself and what it imports statically, and so on. */
function eagerFiles(metafile: Metafile, entry: string): readonly string[] {
  const reached = new Set<string>()
  const visit = (file: string) => {
    if (reached.has(file)) return
    reached.add(file)
    for (const { path, kind, external: outside } of metafile.inputs[file]?.imports ?? []) {
      if (outside !== true && kind !== 'dynamic-import') visit(path)
    }
  }
  visit(entry)
  return [...reached].sort()
}

const isBuildFailure = (thrown: unknown): thrown is BuildFailure =>
  thrown instanceof Error && 'errors' in thrown && Array.isArray(thrown.errors)

const failure = (entry: string, cause: BuildFailure): NetopsError =>
  new NetopsError('failed', {
    message: [`${entry} cannot be bundled:`, ...cause.errors.map((error) => `  ${describeMessage(error)}`)].join('\n'),
    cause,
  })

const describeMessage = ({ location, text }: Message): string =>
  location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`
