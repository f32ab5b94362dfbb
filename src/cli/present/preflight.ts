// What people and scripts see of whether hosts are fit.
import type { JudgedHost } from '../../fleet/preflight.ts'
import { exitCodes, joinOutcomes } from '../../model/errors.ts'
import type { Finding } from '../../procedures/preflight/judge.ts'
import type { CommandResult } from '../command.ts'

const countsOf = (findings: readonly Finding[]) => {
  const count = (kind: Finding['kind']) => findings.filter((one) => one.kind === kind).length
  return { good: count('good'), warnings: count('warning'), problems: count('problem') }
}

export const preflightResult = (
  hosts: readonly JudgedHost[],
  {
    environment,
    release,
    all,
  }: { readonly environment: string | undefined; readonly release: string | undefined; readonly all: boolean },
): CommandResult => ({
  outcome: joinOutcomes(hosts.map(({ outcome }) => ({ outcome, changed: false }))),
  data: {
    environment,
    release,
    hosts: hosts.map(({ host, outcome, findings }) => ({
      host,
      outcome,
      exit: exitCodes[outcome].exit,
      ...countsOf(findings),
    })),
    findings: hosts.flatMap(({ findings }) => findings),
  },
  text: preflightText(hosts, all),
})

/** A table a host with what is not good, or all of it, and below them what to do about it. */
function preflightText(judged: readonly JudgedHost[], all: boolean): string {
  const shown = (findings: readonly Finding[]) => findings.filter(({ kind }) => all || kind !== 'good')
  const width = Math.max(0, ...judged.flatMap(({ findings }) => shown(findings).map(({ check }) => check.length)))
  const tables = judged.map(({ host, findings }) => {
    const { good, warnings, problems } = countsOf(findings)
    const counts = [
      several(problems, 'problem'),
      several(warnings, 'warning'),
      ...(good === 0 ? [] : [`${several(good, 'check')} good`]),
    ]
    const rows = shown(findings).map(
      ({ kind, check, message }) => `  ${kind.padEnd(7)}  ${check.padEnd(width)}  ${message}`,
    )
    return [`${host}: ${counts.filter((text) => !text.startsWith('0 ')).join(', ')}`, ...rows].join('\n')
  })
  const remedies = remediesOf(judged.flatMap(({ findings }) => findings))
  return [...tables, ...(remedies.length === 0 ? [] : ['', 'What to do:', ...remedies])].join('\n')
}

const several = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** What is to be done on several hosts is told once. */
function remediesOf(findings: readonly Finding[]): readonly string[] {
  const hostsByLine = new Map<string, string[]>()
  for (const { host, check, remedy } of findings) {
    if (remedy === undefined) continue
    const line = `${check}: ${remedy}`
    hostsByLine.set(line, [...new Set([...(hostsByLine.get(line) ?? []), host])])
  }
  return [...hostsByLine].map(([line, hosts]) => `  ${line} (${hosts.join(', ')})`)
}
