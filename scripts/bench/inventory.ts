// What checking a fleet file takes by the number of its hosts.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aimOf, aimText, figures, load, machine, table, type Figures } from './figures.ts'
import { freshNetops } from './netops.ts'

const sizes = [1000, 5000, 25_000] as const
const usualRounds = 7
// The aim of the project: five times as many hosts take about five times as long, and never twenty-five times.
const aimedRatio = 6

interface Wish {
  readonly json: boolean
  readonly rounds: number | undefined
}

const rows = (count: number, row: (index: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, index) => row(index))
const addressOf = (index: number): string => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`

/** Fleets of any size: one that is good, and one in which every host is wrong. */
const fleets: Readonly<Record<string, { readonly exit: number; readonly text: (hosts: number) => string }>> = {
  good: {
    exit: 0,
    text: (hosts) =>
      [
        'hosts:',
        ...rows(hosts, (index) => `  h${index}: { address: ${addressOf(index)} }`),
        `groups: { all: { hosts: [${rows(hosts, (index) => `h${index}`).join(',')}] } }`,
      ].join('\n'),
  },
  'one address for all': {
    exit: 2,
    text: (hosts) => ['hosts:', ...rows(hosts, (index) => `  h${index}: { address: a }`)].join('\n'),
  },
}

/** Checks the fleets in turn, and says what each took. */
export async function inventory({ json, rounds = usualRounds }: Wish): Promise<void> {
  const netops = await freshNetops()
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  try {
    const measured: (Figures & { readonly fleet: string; readonly hosts: number })[] = []
    for (const [fleet, { exit, text }] of Object.entries(fleets)) {
      const files = sizes.map((hosts) => ({ hosts, file: join(folder, `${hosts}.yml`), taken: [] as number[] }))
      for (const { hosts, file } of files) await writeFile(file, `${text(hosts)}\n`)
      for (let round = 0; round < rounds; round++) {
        for (const { file, taken } of files) taken.push(timeRun([netops, 'config', 'validate', file], exit))
      }
      measured.push(...files.map(({ hosts, taken }) => ({ fleet, hosts, ...figures(taken) })))
    }
    const medianOf = (fleet: string, hosts: number): number =>
      measured.find((one) => one.fleet === fleet && one.hosts === hosts)?.median ?? Number.NaN
    const aims = Object.keys(fleets).map((fleet) =>
      aimOf(
        `inventory-${fleet.replaceAll(' ', '-')}`,
        medianOf(fleet, sizes[2]) / medianOf(fleet, sizes[1]),
        aimedRatio,
      ),
    )
    if (json) {
      const document = { schema: 'netops/bench/v1', benchmark: 'inventory', unit: 'ms', rounds, aims }
      console.log(JSON.stringify({ ...document, node: machine().node, load: load(), measured }))
      return
    }
    console.log(`${rounds} interleaved rounds, Node ${machine().node}, ${machine().processors}, load ${load()}\n`)
    const lines = measured.map(({ fleet, hosts, min, median, p95 }) => [
      `${hosts} hosts, ${fleet}`,
      ...[min, median, p95].map((ms) => ms.toFixed(0)),
    ])
    console.log(`${table(['`netops config validate`, ms', 'min', 'median', 'p95'], lines)}\n`)
    for (const aim of aims) console.log(aimText(aim))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function timeRun([file = '', ...args]: readonly string[], exit: number): number {
  const begun = performance.now()
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 120_000 })
  const took = performance.now() - begun
  if (error === undefined && status === exit) return took
  throw new Error(`${file} ${args.join(' ')} exited with ${status ?? 'nothing'}: ${stderr}`, { cause: error })
}
