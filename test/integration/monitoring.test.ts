// What `netops monitoring render` makes: checked by the tools that read it, and scraped by a real Prometheus.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { commands } from '../../src/cli/command-list.ts'
import { alertCases } from '../support/alert-cases.ts'
import { fakeConnections } from '../support/fake-hosts.ts'
import { runCommand } from '../support/run-in-process.ts'
import { ask, baseConfig, eventually, freePort, here, startReady, useServers } from '../support/server-process.ts'
import { smallFleet, type SmallFleet } from '../support/small-fleet.ts'

useServers()

let fleet: SmallFleet
let out = ''
const connections = fakeConnections({ web1: {}, web2: {}, db1: {} })
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections })
beforeAll(async () => {
  fleet = await smallFleet()
  out = join(fleet.cwd, 'out')
  expect((await netops('monitoring render --out out')).exit).toBe(0)
})
afterAll(() => fleet.remove())

const hasPrometheus = existsSync('/usr/bin/promtool')

const promtool = (args: readonly string[], input = '') => {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: out, input, encoding: 'utf8', timeout: 60_000 })
  return { status, said: `${stdout}${stderr}` }
}

interface Rule {
  readonly name: string
  readonly query: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** `- alert: NAME` and what follows, of a rendered file. */
const rulesIn = (file: string): readonly Rule[] =>
  readFileSync(join(out, file), 'utf8')
    .split(/^ {6}- /m)
    .slice(1)
    .map((text) => ({
      name: /^(?:alert|record): (.+)$/m.exec(text)?.[1] ?? '',
      query: /expr: (?:\|\n)?([^]*?)(?:\n {8}\w+:|$)/.exec(text)?.[1] ?? '',
      annotations: Object.fromEntries(
        [...text.matchAll(/^ {10}(summary|runbook): '(.*)'$/gm)].map(
          ([, key = '', value = '']) => [key, value] as const,
        ),
      ),
    }))

test('what is in the way of the files is named, and is no defect', async () => {
  await writeFile(join(fleet.cwd, 'taken'), '')
  await mkdir(join(fleet.cwd, 'half/rules.yml'), { recursive: true })
  for (const [folder, where] of [
    ['taken', 'taken'],
    ['half', 'half/rules.yml'],
  ] as const) {
    const { exit, stderr } = await netops(`monitoring render --out ${folder}`)
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: expect.stringContaining(join(fleet.cwd, where)) as string })
    expect(stderr).toContain('--out DIR')
    expect(stderr).not.toContain('defect')
  }
})

describe('the rendered files', () => {
  it('say where each host is scraped, with its groups, and warn of those that nobody reaches', async () => {
    const { stdout } = await netops('monitoring render --out out --dry-run')
    expect(stdout).toMatchInlineSnapshot(`
      "out/prometheus.yml: unchanged
      out/targets.yml: unchanged
      out/rules.yml: unchanged
      out/alerts.yml: unchanged
      out/dashboard.json: unchanged
      warning: web1: metrics.host is 127.0.0.1, where only the host itself can scrape port 9090; set metrics.host to an address that Prometheus reaches
      warning: web2: metrics.host is 127.0.0.1, where only the host itself can scrape port 9090; set metrics.host to an address that Prometheus reaches
      warning: db1: metrics.host is 127.0.0.1, where only the host itself can scrape port 9090; set metrics.host to an address that Prometheus reaches
      "
    `)
    expect(await readFile(join(out, 'targets.yml'), 'utf8')).toMatchInlineSnapshot(`
      "# Written by netops from the fleet file; \`netops monitoring render\` replaces it.
      - {"targets":["10.0.0.11:9090"],"labels":{"host":"web1","environment":"staging","groups":",edge,","roles":",backend,"}}
      - {"targets":["10.0.0.12:9090"],"labels":{"host":"web2","environment":"staging","groups":",edge,","roles":",backend,"}}
      - {"targets":["10.0.0.21:9090"],"labels":{"host":"db1","environment":"staging","roles":",database,"}}
      "
    `)
  })

  it('follow the metrics address of each host’s own configuration', async () => {
    const { cwd, remove } = await smallFleet()
    await writeFile(join(cwd, 'config.yaml'), 'metrics: { host: 0.0.0.0, port: 9100 }\n')
    const file = join(cwd, 'netops.yml')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('server: { port: 8081 }', 'metrics: { host: "fd00::7", port: 9200 }'))
    const { exit, stdout } = await runCommand('monitoring render --out . --json', { cwd, connections })
    expect({ exit, warned: stdout.includes('metrics.host is') }).toEqual({ exit: 0, warned: false })
    const targets = (await readFile(join(cwd, 'targets.yml'), 'utf8')).match(/(?<="targets":\[")[^"]+/g)
    expect(targets).toEqual(['10.0.0.11:9100', '[fd00::7]:9200', '10.0.0.21:9100'])
    await remove()
  })

  it('are left alone where nothing changed, and refused without a folder', async () => {
    const { stdout } = await netops('monitoring render --out out')
    expect(stdout.match(/: unchanged$/gm)).toHaveLength(5)
    expect(await netops('monitoring render')).toMatchObject({ exit: 2 })
  })

  it('name commands that there are as the next ones', async () => {
    for (const { annotations, name } of rulesIn('alerts.yml')) {
      const words = annotations?.runbook?.split(' -- ')[0]?.split(' ') ?? []
      const load = commands[words.slice(1, 3).join(' ')] ?? commands[words[1] ?? '']
      const flags = (await load?.())?.options.map((option) => option.flags).join(' ')
      for (const flag of words.filter((word) => word.startsWith('--'))) expect(`${name}: ${flags}`).toContain(flag)
    }
  })
})

describe.skipIf(!hasPrometheus)('promtool', () => {
  it('finds nothing wrong with the rules and the configuration', () => {
    expect(promtool(['check', 'rules', 'rules.yml', 'alerts.yml'])).toMatchObject({ status: 0 })
    expect(promtool(['check', 'config', 'prometheus.yml'])).toMatchObject({ status: 0 })
  })

  it('has each alert fire in its case, and none where it just should not', async () => {
    const prefix = 'NetworkService'
    const names = rulesIn('alerts.yml').map(({ name }) => name.slice(prefix.length))
    const own = ['ReleasesDiffer']
    expect(names.sort()).toEqual([...Object.keys(alertCases), ...own].sort())
    const target = 'job="network_service",host="web1"'
    const seriesOf = (series: Readonly<Record<string, string>>) =>
      Object.entries(series).map(([name, values]) => {
        const [metric = '', labels = ''] = name.replace(/\}$/, '').split(/\{(.*)/s)
        return { series: `${metric}{${[target, labels].filter((part) => part !== '').join()}}`, values }
      })
    const tests: object[] = Object.entries(alertCases).flatMap(([name, { fires, quiet }]): object[] => [
      {
        interval: '1m',
        input_series: seriesOf(fires.series),
        alert_rule_test: [
          {
            eval_time: fires.at,
            alertname: prefix + name,
            exp_alerts: [
              {
                exp_labels: { severity: fires.severity, job: 'network_service', host: 'web1', ...fires.labels },
                exp_annotations: { summary: fires.summary, runbook: fires.runbook },
              },
            ],
          },
        ],
      },
      {
        interval: '1m',
        input_series: seriesOf(quiet.series),
        alert_rule_test: [{ eval_time: quiet.at, alertname: prefix + name, exp_alerts: [] }],
      },
    ])
    const running = (...releases: string[]) =>
      releases.map((release, index) => ({
        series: `network_build_info{job="network_service",host="web${index}",environment="staging",release="${release}"}`,
        values: '1x90',
      }))
    const differ = (releases: string[], exp_alerts: object[]) => ({
      ...{ interval: '1m', input_series: running(...releases) },
      alert_rule_test: [{ eval_time: '70m', alertname: 'NetworkServiceReleasesDiffer', exp_alerts }],
    })
    const summary = 'hosts of the same environment have run 2 releases for an hour'
    tests.push(
      differ(
        ['a', 'b', 'b'],
        [
          {
            exp_labels: { severity: 'warning', job: 'network_service', environment: 'staging' },
            exp_annotations: { summary, runbook: 'netops status' },
          },
        ],
      ),
      differ(['b', 'b', 'b'], []),
    )
    await writeFile(
      join(out, 'cases.yml'),
      JSON.stringify({ rule_files: ['rules.yml', 'alerts.yml'], evaluation_interval: '1m', tests }),
    )
    const { status, said } = promtool(['test', 'rules', 'cases.yml'])
    expect(said).toContain('SUCCESS')
    expect(status).toBe(0)
  })
})

/** Names of metrics in a query: what stands before a selector, a comparison or the end, and is no function. */
const metricsIn = (query: string): readonly string[] =>
  [...query.replaceAll(/"[^"]*"/g, '').matchAll(/\b(?:network|process|instance\w*|up)(?:[:\w]*)\b(?!\s*\()/g)].map(
    ([name]) => name,
  )

describe('the executable’s metrics', () => {
  it('are all that rules, alerts and the dashboard ask for, and clean', async () => {
    await startReady()
    await ask('/health')
    const { body } = await ask('/metrics', here.ports.metrics)
    const known = new Set(
      [...body.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? [name, `${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
      ),
    )
    const recorded = rulesIn('rules.yml').map(({ name }) => name)
    const dashboard = JSON.parse(await readFile(join(out, 'dashboard.json'), 'utf8')) as {
      readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[]
    }
    const queries = [
      ...rulesIn('rules.yml').map(({ query }) => query),
      ...rulesIn('alerts.yml').map(({ query }) => query),
      ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ]
    const asked = new Set(queries.flatMap(metricsIn))
    expect(asked.size).toBeGreaterThan(30)
    expect([...asked].filter((name) => name !== 'up' && !known.has(name) && !recorded.includes(name))).toEqual([])
    if (hasPrometheus) expect(promtool(['check', 'metrics'], body)).toEqual({ status: 0, said: '' })
  })

  it.skipIf(!hasPrometheus)('are scraped by a real Prometheus, whose rules then have values', async () => {
    await startReady({ config: baseConfig() })
    const [port, folder] = [await freePort(), join(here.root, 'prometheus')]
    await mkdir(folder)
    for (const name of ['rules.yml', 'alerts.yml']) await writeFile(join(folder, name), await readFile(join(out, name)))
    const quick = (text: string) => text.replaceAll(/interval: 15s/g, 'interval: 1s')
    await writeFile(join(folder, 'rules.yml'), quick(await readFile(join(out, 'rules.yml'), 'utf8')))
    await writeFile(join(folder, 'prometheus.yml'), quick(await readFile(join(out, 'prometheus.yml'), 'utf8')))
    const target = { targets: [`127.0.0.1:${here.ports.metrics}`], labels: { host: 'web1' } }
    await writeFile(join(folder, 'targets.yml'), JSON.stringify([target]))
    const prometheus = spawn(
      'prometheus',
      [
        '--config.file=prometheus.yml',
        ...[`--web.listen-address=127.0.0.1:${port}`, '--storage.tsdb.path=data', '--log.level=error'],
      ],
      { cwd: folder, stdio: 'ignore' },
    )
    const ended = new Promise((resolve) => prometheus.once('exit', resolve))
    try {
      const valueOf = async (query: string): Promise<number> => {
        const { body } = await ask(`/api/v1/query?query=${encodeURIComponent(query)}`, port)
        const answer = JSON.parse(body) as { data: { result: readonly { value: readonly [number, string] }[] } }
        return Number(answer.data.result[0]?.value[1])
      }
      await eventually(async () => expect(await valueOf('up{job="network_service",host="web1"}')).toBe(1))
      await eventually(async () => {
        await ask('/x')
        expect(await valueOf('instance:network_requests:rate5m{host="web1"}')).toBeGreaterThan(0)
        expect(await valueOf('instance:network_memory:utilisation{host="web1"}')).toBeGreaterThan(0)
      })
      const { body } = await ask('/api/v1/rules', port)
      expect([...body.matchAll(/"health":"(\w+)"/g)].filter(([, health]) => health === 'err')).toEqual([])
    } finally {
      prometheus.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true })
    }
  })
})
