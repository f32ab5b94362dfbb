// Expiry in S3 is the bucket's own rule, so that the key on a host needs no right to delete: what to set, and whether it is set.
import type { LifecycleRule } from '@aws-sdk/client-s3'
import type { CallOptions } from './port.ts'
import { S3Bucket, type S3Place } from './s3-client.ts'
import { isForbidden, isNamed, isUnknownThere } from './s3-errors.ts'

export interface Expiry {
  /** After how many days an object goes. It must be longer than anybody takes to notice that no new ones come. */
  readonly days: number
  /** After how many days the parts of a put that was never finished go. */
  readonly partsDays: number
}

/** What was found of a bucket's rules. */
export type LifecycleCheck =
  | { readonly state: 'in place' }
  /** What is other than it should be, a line each. */
  | { readonly state: 'wrong'; readonly faults: readonly string[] }
  /** The key may not look, or the service knows no such rules. */
  | { readonly state: 'unknown'; readonly why: 'not allowed' | 'not supported' }

/**
 * The rule as `aws s3api put-bucket-lifecycle-configuration --lifecycle-configuration file://RULE.json` takes it. Old versions go too:
 * in a bucket with versions an object that expires is only covered.
 */
export const lifecycleRule = ({ prefix }: Pick<S3Place, 'prefix'>, { days, partsDays }: Expiry) => ({
  Rules: [
    {
      ID: `netops-${prefix.replaceAll(/[^A-Za-z0-9]+/g, '-').replace(/-$/, '') || 'all'}`,
      Status: 'Enabled' as const,
      Filter: { Prefix: prefix },
      Expiration: { Days: days },
      NoncurrentVersionExpiration: { NoncurrentDays: 1 },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: partsDays },
    },
  ],
})

/** As buckets still give rules that were made before there were filters. */
interface RuleOfOld {
  readonly Prefix?: string
}

/** What a rule is about, where that is a prefix alone; undefined where it also asks for tags or sizes. */
function prefixOf(rule: LifecycleRule): string | undefined {
  const { Filter: filter } = rule
  if (filter === undefined) return (rule as RuleOfOld).Prefix ?? ''
  const { Prefix, ...others } = filter
  return Object.values(others).some((value) => value !== undefined) ? undefined : (Prefix ?? '')
}

/**
 * What is wrong with a bucket's rules for objects below a prefix.
 * @returns a line each; none where all is as it should be
 */
export function lifecycleFaults(
  rules: readonly LifecycleRule[],
  { prefix }: Pick<S3Place, 'prefix'>,
  { days, partsDays }: Expiry,
): readonly string[] {
  const enabled = rules.filter(({ Status }) => Status === 'Enabled')
  const about = enabled.filter((rule) => prefix.startsWith(prefixOf(rule) ?? '\0'))
  // Of a rule for some objects below it, or with conditions besides, nobody can tell which copies it takes.
  const sooner = enabled.filter((rule) => {
    const { Days = Infinity, Date: date } = rule.Expiration ?? {}
    const touches = prefixOf(rule) === undefined || (prefixOf(rule) ?? '').startsWith(prefix) || about.includes(rule)
    return touches && (Days < days || date !== undefined)
  })
  const expires = about.some(({ Expiration }) => Expiration?.Days === days)
  const aborts = about.some(
    ({ AbortIncompleteMultipartUpload: abort }) => (abort?.DaysAfterInitiation ?? Infinity) <= partsDays,
  )
  return [
    ...sooner.map(({ ID: id = 'without a name', Expiration }) =>
      Expiration?.Days === undefined
        ? `the rule ${id} removes copies at a date`
        : `the rule ${id} removes copies after ${Expiration.Days} days, not ${days}`,
    ),
    ...(expires || sooner.length > 0 ? [] : [`no rule removes copies after ${days} days`]),
    ...(aborts ? [] : [`no rule removes what was never finished after ${partsDays} days`]),
  ]
}

/**
 * Looks at a bucket's rules.
 * @throws NetopsError where the service cannot be asked at all
 */
export async function checkLifecycle(
  at: S3Place,
  expiry: Expiry,
  { signal }: CallOptions = {},
): Promise<LifecycleCheck> {
  const bucket = new S3Bucket(at)
  const isNone = (error: unknown): boolean => isNamed(error, 'NoSuchLifecycleConfiguration')
  const expects = (error: unknown): boolean =>
    isNone(error) || isUnknownThere(error) || (isForbidden(error) && isNamed(error, 'AccessDenied'))
  try {
    const { Rules = [] } = await bucket.ask('looking at its rules', { signal, expects }, (client, sdk, options) =>
      client.send(new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: at.bucket }), options),
    )
    const faults = lifecycleFaults(Rules, at, expiry)
    return faults.length === 0 ? { state: 'in place' } : { state: 'wrong', faults }
  } catch (error) {
    if (isNone(error)) return { state: 'wrong', faults: lifecycleFaults([], at, expiry) }
    if (isUnknownThere(error)) return { state: 'unknown', why: 'not supported' }
    if (!expects(error)) throw error
    return { state: 'unknown', why: 'not allowed' }
  } finally {
    await bucket.close()
  }
}
