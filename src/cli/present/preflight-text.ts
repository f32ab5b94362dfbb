// What a checklist says: a document, and for people a table a host, and below all of them what to do.
import type { CheckedHost } from '../../fleet/preflight.ts'
import { exitCodes, joinOutcomes } from '../../model/errors.ts'
import type { Finding } from '../../procedures/preflight/judge.ts'
import type { CommandResult } from '../command.ts'
import { below } from './errors.ts'
import { counted } from './table.ts'

const countsOf = (findings: readonly Finding[]) => {
  const count = (kind: Finding['kind']) => findings.filter((one) => one.kind === kind).length
  return { good: count('good'), warnings: count('warning'), problems: count('problem') }
}

interface Checklist {
  readonly environment: string | undefined
  readonly release: string | undefined
  /** Whether what is good is shown too. */
  readonly all: boolean
}

export const checklistResult = (
  checked: readonly CheckedHost[],
  { environment, release, all }: Checklist,
): CommandResult => ({
  outcome: joinOutcomes(checked.map(({ outcome }) => ({ outcome, changed: false }))),
  data: {
    environment,
    release,
    hosts: checked.map(({ host, outcome, findings }) => ({
      host,
      outcome,
      exit: exitCodes[outcome].exit,
      ...countsOf(findings),
    })),
    findings: checked.flatMap(({ findings }) => findings),
  },
  text: checklistText(checked, all),
})

function checklistText(checked: readonly CheckedHost[], all: boolean): string {
  const shown = (findings: readonly Finding[]) => findings.filter(({ kind }) => all || kind !== 'good')
  const width = Math.max(0, ...checked.flatMap(({ findings }) => shown(findings).map(({ check }) => check.length)))
  const tables = checked.map(({ host, findings }) => {
    const { good, warnings, problems } = countsOf(findings)
    const counts = [
      counted(problems, 'problem'),
      counted(warnings, 'warning'),
      ...(good === 0 ? [] : [`${counted(good, 'check')} good`]),
    ]
    const rows = shown(findings).map(
      ({ kind, check, message }) => `  ${kind.padEnd(7)}  ${check.padEnd(width)}  ${below(message)}`,
    )
    return [`${host}: ${counts.filter((text) => !text.startsWith('0 ')).join(', ')}`, ...rows].join('\n')
  })
  const remedies = remediesOf(checked.flatMap(({ findings }) => findings))
  return [...tables, ...(remedies.length === 0 ? [] : ['', 'What to do:', ...remedies])].join('\n')
}

/** What is to be done on several hosts stands there once. */
function remediesOf(findings: readonly Finding[]): readonly string[] {
  const hostsByLine = new Map<string, string[]>()
  for (const { host, check, remedy } of findings) {
    if (remedy === undefined) continue
    const line = `${check}: ${below(remedy)}`
    hostsByLine.set(line, [...new Set([...(hostsByLine.get(line) ?? []), host])])
  }
  return [...hostsByLine].map(([line, hosts]) => `  ${line} (${hosts.join(', ')})`)
}
