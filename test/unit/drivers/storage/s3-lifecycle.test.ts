import type { LifecycleRule } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { lifecycleFaults, lifecycleRule } from '../../../../src/drivers/storage/s3-lifecycle.ts'

const at = { prefix: 'hosts/web1/' }
const expiry = { days: 90, partsDays: 7 }
const [ours] = lifecycleRule(at, expiry).Rules
const rule = (other: Partial<LifecycleRule>): LifecycleRule => ({
  ...ours,
  Status: 'Enabled',
  Expiration: { Days: 90 },
  ...other,
})

test('the rule is the document that S3 takes', () => {
  expect(lifecycleRule(at, expiry)).toEqual({
    Rules: [
      {
        ID: 'netops-hosts-web1',
        Status: 'Enabled',
        Filter: { Prefix: 'hosts/web1/' },
        Expiration: { Days: 90 },
        NoncurrentVersionExpiration: { NoncurrentDays: 1 },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      },
    ],
  })
})

describe('all is well', () => {
  test.each([
    ['with the rule itself', [rule({})]],
    ['with one for all of the bucket', [rule({ Filter: { Prefix: '' } })]],
    ['with one in the older form', [Object.assign(rule({ Filter: undefined }), { Prefix: 'hosts/' })]],
    ['with two that share it', [rule({ AbortIncompleteMultipartUpload: undefined }), rule({ Expiration: undefined })]],
    ['beside one for others', [rule({}), rule({ Filter: { Prefix: 'logs/' }, Expiration: { Days: 1 } })]],
    ['beside one that is switched off', [rule({}), rule({ Status: 'Disabled', Expiration: { Days: 1 } })]],
  ])('%s', (_, rules) => {
    expect(lifecycleFaults(rules, at, expiry)).toEqual([])
  })
})

describe('something is wrong', () => {
  test.each<readonly [string, readonly LifecycleRule[], RegExp]>([
    ['no rule', [], /^no rule removes copies after 90 days,no rule removes what was never finished/],
    ['switched off', [rule({ Status: 'Disabled' })], /^no rule removes copies/],
    ['for another host', [rule({ Filter: { Prefix: 'hosts/web2/' } })], /^no rule removes copies/],
    ['later', [rule({ Expiration: { Days: 120 } })], /^no rule removes copies after 90 days$/],
    ['sooner', [rule({ ID: 'x', Expiration: { Days: 30 } })], /^the rule x removes copies after 30 days, not 90$/],
    [
      'sooner for some',
      [rule({}), rule({ ID: 'x', Filter: { Prefix: 'hosts/web1/a' }, Expiration: { Days: 1 } })],
      /^the rule x/,
    ],
    [
      'sooner by a tag',
      [rule({}), rule({ ID: 'x', Filter: { Tag: { Key: 'a', Value: 'b' } }, Expiration: { Days: 1 } })],
      /^the rule x/,
    ],
    ['at a date', [rule({ ID: 'x', Expiration: { Date: new Date() } })], /^the rule x removes copies at a date$/],
    [
      'parts stay',
      [rule({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 30 } })],
      /^no rule removes what was never finished/,
    ],
  ])('%s', (_, rules, fault) => {
    expect(lifecycleFaults(rules, at, expiry).join()).toMatch(fault)
  })
})
