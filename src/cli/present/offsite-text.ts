// Copies elsewhere for people and scripts.
import { restoreCommand } from '../../archive/manifest.ts'
import type { FetchedBackup, LifecycleReport, ListedCopy } from '../../fleet/offsite.ts'
import { shownText } from '../../model/escape.ts'
import { quoteCommand } from '../../model/quote.ts'
import { formatBytes } from '../../model/units.ts'
import type { CommandResult } from '../command.ts'
import { below } from './errors.ts'
import { counted, table } from './table.ts'

const sizeOf = ({ page }: Pick<ListedCopy, 'page'>): number => page.objects.reduce((sum, { bytes }) => sum + bytes, 0)

/** All copies in a place. */
export function copiesResult(
  address: string,
  { copies, unreadable }: { readonly copies: readonly ListedCopy[]; readonly unreadable: readonly string[] },
): CommandResult {
  const rows = copies.map(({ id, host, page, storedMs }) => [
    host,
    id,
    formatBytes(sizeOf({ page })),
    page.encrypted ? 'encrypted' : 'in the clear',
    `stored ${new Date(storedMs).toISOString().slice(0, 16)}Z`,
  ])
  return {
    outcome: unreadable.length > 0 ? 'damaged' : 'done',
    data: {
      place: address,
      copies: copies.map(({ id, host, page, storedMs }) => ({
        ...{ id, host, storedAt: new Date(storedMs).toISOString(), encrypted: page.encrypted },
        ...{ madeAt: page.madeAt, bytes: sizeOf({ page }), objects: page.objects },
      })),
      unreadable,
    },
    text: [
      `${address}: ${counted(copies.length, 'copy').replace(/copys$/, 'copies')}`,
      ...table(rows, '  '),
      ...unreadable.map((message) => `  damaged: ${below(shownText(message))}`),
    ].join('\n'),
  }
}

/** A backup that was brought. */
export function fetchedResult(address: string, fetched: FetchedBackup): CommandResult {
  const { id, host, folder, file, brought, page } = fetched
  const restore = restoreCommand(`${folder}/${file}`, '/', page.compression)
  return {
    outcome: 'done',
    data: { place: address, id, host, folder, file, brought, encrypted: page.encrypted, madeAt: page.madeAt, restore },
    text: [
      `${id} of ${host} is in ${folder}, every byte as it was (${formatBytes(brought)} brought)`,
      `  by netops: ${quoteCommand(['netops', 'restore', id, '--from', folder])}`,
      `  by tar: ${restore}`,
    ].join('\n'),
  }
}

/** The rules of buckets, as they should be and as they are; wrong is not healthy. */
export function lifecycleResult(reports: readonly LifecycleReport[]): CommandResult {
  return {
    outcome: reports.some(({ found }) => found.state === 'wrong') ? 'unhealthy' : 'done',
    data: { places: reports.map(({ address, rule, found }) => ({ place: address, rule, found })) },
    text: reports.flatMap(lifecycleLines).join('\n'),
  }
}

function lifecycleLines({ address, rule, found }: LifecycleReport): readonly string[] {
  const bucket = address.slice('s3://'.length).split('/')[0] ?? ''
  const put = ['aws', 's3api', 'put-bucket-lifecycle-configuration', '--bucket', bucket]
  return [
    `${address}: ${found.state === 'unknown' ? `cannot be checked: ${found.why}` : found.state}`,
    ...(found.state === 'wrong' ? found.faults.map((fault) => `  ${shownText(fault)}`) : []),
    ...JSON.stringify(rule, undefined, 2).split('\n'),
    ...(found.state === 'in place'
      ? []
      : [
          `  hint: add it to the bucket’s other rules, then: ${quoteCommand([...put, '--lifecycle-configuration', 'file://RULE.json'])}`,
        ]),
  ]
}
