// What archives cost beside tar, restic and borg: the first one, one where nothing changed, one where 1% did, proof and restore.
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bundle } from '../../src/build/bundle.ts'
import { ownCheckout } from '../../src/build/checkout.ts'
import { exec } from '../../src/system/exec.ts'
import { copySome, filesIn, writeSmallFiles } from './backup-sets.ts'
import { aimOf, aimText, figures, machine, table } from './figures.ts'
import { watchMemory } from './tree-memory.ts'

export interface BackupOptions {
  readonly json: boolean
  readonly only: string | undefined
  readonly rounds: number | undefined
}

const works = ['first', 'unchanged', '1% changed', 'verify', 'restore'] as const
type Work = (typeof works)[number]

interface Sample {
  readonly set: string
  readonly tool: string
  readonly work: Work
  readonly seconds: number
  /** Of processors, with all that it started. */
  readonly cpu: number
  /** Peak of its memory, with that of all that it started. */
  readonly megabytes: number
}

interface Place {
  readonly base: string
  readonly out: string
  readonly program: string
}

/** A tool's commands as shell lines; those that a tool does not have are not timed. */
interface Tool {
  readonly name: string
  readonly lines: (place: Place) => Readonly<Partial<Record<Work | 'prepare', string>>>
}

const netops = (compression: 'gzip' | 'zstd'): Tool => ({
  name: `netops ${compression}`,
  lines: ({ base, out, program }) => {
    const folder = `${out}/netops-${compression}`
    const make = (name: string, last: string): string =>
      `${program} make ${base} data ${folder} ${name} ${last} ${compression}`
    return {
      first: make('a', '-'),
      unchanged: make('b', 'a'),
      '1% changed': make('c', 'b'),
      verify: `${program} verify ${folder} c`,
      restore: `${program} extract ${folder} c ${out}/restored-${compression}`,
    }
  },
})

const plain = (name: string, suffix: string, words: { create: string; test?: string; extract?: string }): Tool => ({
  name,
  lines: ({ base, out }) => {
    const file = `${out}/plain.${suffix}`
    const create = words.create.replace('FILE', file).replace('BASE', base)
    return {
      first: create,
      ...(words.test === undefined ? {} : { verify: `${words.test} ${file}` }),
      ...(words.extract === undefined
        ? {}
        : { restore: `mkdir ${out}/restored-${suffix} && ${words.extract} ${file} -C ${out}/restored-${suffix}` }),
    }
  },
})

const tools: readonly Tool[] = [
  netops('gzip'),
  netops('zstd'),
  plain('tar -czf', 'tar.gz', { create: 'tar -czf FILE -C BASE data', test: 'gzip -t', extract: 'tar -xzf' }),
  plain('tar, pigz', 'pigz.tar.gz', { create: 'tar -cf - -C BASE data | pigz > FILE' }),
  plain('tar --zstd', 'tar.zst', {
    create: 'tar --zstd -cf FILE -C BASE data',
    test: 'zstd -tq',
    extract: 'tar --zstd -xf',
  }),
  {
    name: 'restic',
    lines: ({ base, out }) => {
      const restic = `RESTIC_PASSWORD=x RESTIC_CACHE_DIR=${out}/cache restic -q -r ${out}/restic`
      const backup = `${restic} backup ${base}/data`
      return {
        ...{ prepare: `${restic} init`, first: backup, unchanged: backup, '1% changed': backup },
        ...{
          verify: `${restic} check --read-data`,
          restore: `${restic} restore latest --target ${out}/restored-restic`,
        },
      }
    },
  },
  {
    name: 'borg',
    lines: ({ base, out }) => {
      const borg = `BORG_BASE_DIR=${out}/borg-own BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes borg`
      const create = (name: string): string => `${borg} create --compression zstd,3 ${out}/borg::${name} ${base}/data`
      return {
        ...{
          prepare: `${borg} init -e none ${out}/borg`,
          first: create('a'),
          unchanged: create('b'),
          '1% changed': create('c'),
        },
        verify: `${borg} check --verify-data ${out}/borg`,
        restore: `mkdir ${out}/restored-borg && cd ${out}/restored-borg && ${borg} extract ${out}/borg::c`,
      }
    },
  },
]

export async function backup({ json, only, rounds = 3 }: BackupOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  try {
    const program = await bundled(folder)
    const samples: Sample[] = []
    for (const [set, fill] of Object.entries(sets)) {
      if (only !== undefined && only !== set && (only !== 'small' || set !== tenth)) continue
      const base = join(folder, set)
      await mkdir(join(base, 'data'), { recursive: true })
      await fill(join(base, 'data'))
      for (let round = 1; round <= rounds; round += 1) {
        const out = join(folder, 'out')
        await mkdir(out)
        samples.push(...(await measure(set, { base, out, program })))
        await rm(out, { recursive: true })
      }
      await rm(base, { recursive: true })
    }
    present(samples, json)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The program as an executable has it: without types to strip, its threads as a script of their own. */
async function bundled(folder: string): Promise<string> {
  const make = async (entry: string, to: string): Promise<void> => {
    const { code } = await bundle({ checkout: ownCheckout, entry, facts: {} })
    await writeFile(join(folder, to), code.replaceAll('./entry.ts', './entry.cjs'))
  }
  await make('scripts/bench/programs/archive.ts', 'archive.cjs')
  await make('src/archive/threads/entry.ts', 'entry.cjs')
  return `${process.execPath} --disable-warning=ExperimentalWarning ${join(folder, 'archive.cjs')}`
}

const tenth = 'tenth'

const sets: Readonly<Record<string, (data: string) => Promise<void> | void>> = {
  mixed: (data) => copySome('/usr/lib', data, 1e9),
  [tenth]: (data) => writeSmallFiles(data, 10_000),
  small: (data) => writeSmallFiles(data, 100_000),
}

/** For how memory grows with the data netops is enough. */
const toolsFor = (set: string): readonly Tool[] => (set === tenth ? tools.filter(isOwn) : tools)
const isOwn = ({ name }: Pick<Tool, 'name'>): boolean => name.startsWith('netops')

async function measure(set: string, place: Place): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  for (const tool of toolsFor(set)) await shell(tool.lines(place).prepare ?? 'true')
  for (const work of works) {
    if (work === '1% changed') await changeSome(join(place.base, 'data'))
    // What changed less than two seconds before is read again.
    await sleep(2500)
    for (const tool of toolsFor(set)) {
      const line = tool.lines(place)[work]
      if (line === undefined) continue
      const sample = { set, tool: tool.name, work, ...(await shell(line)) }
      console.error(
        `${set}, ${work}, ${tool.name}: ${sample.seconds.toFixed(2)} s, ${sample.cpu.toFixed(2)} s of processors, ${sample.megabytes.toFixed(0)} MB`,
      )
      samples.push(sample)
    }
  }
  return samples
}

async function changeSome(data: string): Promise<void> {
  const files = await filesIn(data)
  for (let at = 50; at < files.length; at += 100) await appendFile(files[at] ?? '', 'changed')
}

async function shell(line: string): Promise<Pick<Sample, 'seconds' | 'cpu' | 'megabytes'>> {
  const timed = `TIMEFORMAT='took %R %U %S'; time { ${line} ; }`
  const memory = watchMemory()
  const { code, stderr } = await exec(['bash', '-o', 'pipefail', '-c', timed], { env: { LC_ALL: 'C' } })
  const peak = memory.stop()
  const [, real, user, system] = /^took (\S+) (\S+) (\S+)$/m.exec(stderr) ?? []
  if (code !== 0 || real === undefined) throw new Error(`${line} exited with ${code}: ${stderr.slice(-2000)}`)
  return {
    seconds: Number(real),
    cpu: Number(user) + Number(system),
    megabytes: peak / 2 ** 20,
  }
}

function present(samples: readonly Sample[], json: boolean): void {
  const chosen = (set: string, tool: string, work: Work): readonly Sample[] =>
    samples.filter((sample) => sample.set === set && sample.tool === tool && sample.work === work)
  const median = (set: string, tool: string, work: Work): number =>
    figures(chosen(set, tool, work).map(({ seconds }) => seconds)).median
  const measured = Object.keys(sets).filter((set) => samples.some((sample) => sample.set === set))
  const peakOf = (set: string): number =>
    Math.max(
      ...samples
        .filter((sample) => sample.set === set && isOwn({ name: sample.tool }))
        .map(({ megabytes }) => megabytes),
    )
  const aims = measured.flatMap((set) => {
    if (set === tenth) return []
    const ratio = (name: string, work: Work, [own, other, most]: readonly [string, string, number]) =>
      aimOf(`${name} (${set})`, median(set, own, work) / median(set, other, work), most)
    return [
      ratio('unchanged beside restic', 'unchanged', ['netops gzip', 'restic', 0.5]),
      ratio('1% changed beside restic', '1% changed', ['netops gzip', 'restic', 1]),
      ratio('first gzip beside pigz', 'first', ['netops gzip', 'tar, pigz', 1]),
      ratio('first zstd beside tar --zstd', 'first', ['netops zstd', 'tar --zstd', 1.15]),
      ratio('verify beside zstd -t', 'verify', ['netops zstd', 'tar --zstd', 1]),
      ratio('restore gzip beside tar -x', 'restore', ['netops gzip', 'tar -czf', 1]),
      ratio('restore zstd beside tar -x', 'restore', ['netops zstd', 'tar --zstd', 1]),
      aimOf(`memory in MB (${set})`, peakOf(set), 200),
      ...(set === 'small' ? [aimOf('memory beside that for a tenth (small)', peakOf(set) / peakOf(tenth), 1.25)] : []),
    ]
  })
  if (json) {
    console.log(JSON.stringify({ machine: machine(), samples, aims }, undefined, 2))
    return
  }
  for (const set of measured) {
    const cell = (tool: string, work: Work): string => {
      const of = chosen(set, tool, work)
      if (of.length === 0) return '-'
      const middle = (what: 'seconds' | 'cpu' | 'megabytes', digits: number): string =>
        figures(of.map((sample) => sample[what])).median.toFixed(digits)
      return `${middle('seconds', 1)} (${middle('cpu', 1)}; ${middle('megabytes', 0)})`
    }
    console.log(`${set}: seconds (of processors; MB of memory at most)\n`)
    console.log(
      `${table(
        ['', ...works],
        toolsFor(set).map(({ name }) => [name, ...works.map((work) => cell(name, work))]),
      )}\n`,
    )
  }
  console.log(JSON.stringify(machine()))
  for (const aim of aims) console.log(aimText(aim))
}
