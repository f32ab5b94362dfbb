// `npm run bench -- startup|fanout|noisy|inventory|journal|runs|server|backup|against [--json] [--only PART] [--rounds N] [--checkout DIR]`: figures of netops beside its peers, for docs/benchmarks.md.
import { parseArgs } from 'node:util'

interface Options {
  readonly json: boolean
  readonly only: string | undefined
  readonly rounds: number | undefined
  readonly checkout: string | undefined
}

const benchmarks: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  startup: async ({ json }) => (await import('./bench/startup.ts')).startup(json),
  runs: async (options) => (await import('./bench/runs.ts')).runs(options),
  inventory: async ({ json, rounds }) => (await import('./bench/inventory.ts')).inventory({ json, rounds }),
  journal: async ({ json, rounds }) => (await import('./bench/journal.ts')).journal({ json, rounds }),
  server: async ({ json, only, rounds }) => (await import('./bench/server.ts')).server({ json, only, rounds }),
  backup: async (options) => (await import('./bench/backup.ts')).backup(options),
  against: async (options) => (await import('./bench/against.ts')).against(options),
  fanout: async (options) => (await import('./bench/fanout.ts')).fanout(options),
  noisy: async ({ json, rounds }) => (await import('./bench/noisy.ts')).noisy({ json, rounds }),
}

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean' },
    only: { type: 'string' },
    rounds: { type: 'string' },
    checkout: { type: 'string' },
  },
  allowPositionals: true,
})
const [name = 'startup', ...more] = positionals
const run = more.length > 0 ? undefined : benchmarks[name]
if (run === undefined) {
  const known = Object.keys(benchmarks).join('|')
  console.error(`there is no benchmark called ${positionals.join(' ')}; usage: npm run bench -- ${known} [--json]`)
  process.exitCode = 2
} else {
  const { json = false, only, rounds, checkout } = values
  await run({ json, only, checkout, rounds: rounds === undefined ? undefined : Number(rounds) })
}
