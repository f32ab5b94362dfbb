// The rules of a fleet file do work in proportion to its length: thousands of hosts are checked as they are read.
import { describe, expect, it } from 'vitest'
import { checkFleetFile, hostsOf } from '../../../src/config/fleet-file.ts'
import { inventorySchema, type Inventory } from '../../../src/model/inventory.ts'
import { inventoryRules, memberRules } from '../../../src/model/inventory-rules.ts'
import { countReads } from '../../support/counted.ts'

const rows = <T>(count: number, row: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => row(i))
const named = <T>(count: number, letter: string, row: (index: number) => T): Record<string, T> =>
  Object.fromEntries(rows(count, (i) => [`${letter}${i}`, row(i)]))

/** Fleets of any size, good and wrong in each way that a rule knows. */
const fleets: Readonly<Record<string, (count: number) => object>> = {
  'with different addresses': (count) => ({ hosts: named(count, 'h', (i) => ({ address: `a${i}` })) }),
  'with one address': (count) => ({ hosts: named(count, 'h', () => ({ address: 'a' })) }),
  'in one group': (count) => ({
    hosts: named(count, 'h', (i) => ({ address: `a${i}` })),
    groups: { all: { hosts: rows(count, (i) => `h${i}`) } },
  }),
  'with a group each': (count) => ({
    hosts: named(count, 'h', (i) => ({ address: `a${i}` })),
    groups: named(count, 'g', (i) => ({ hosts: [`h${i}`] })),
  }),
  'with members that are no hosts': (count) => ({
    hosts: named(count, 'h', (i) => ({ address: `a${i}` })),
    groups: { all: { hosts: rows(count, (i) => `x${i}`) } },
  }),
  'with groups called as hosts': (count) => ({
    hosts: named(count, 'h', (i) => ({ address: `a${i}` })),
    groups: named(count, 'h', () => ({})),
  }),
  'with files': (count) => ({
    hosts: { web1: { address: 'a' } },
    files: rows(count, (i) => ({ from: { env: 'A' }, to: `/f${i}`, hosts: ['web1'] })),
  }),
  'with one file again and again': (count) => ({
    hosts: { web1: { address: 'a' } },
    files: rows(count, () => ({ from: { env: 'A' }, to: '/f', hosts: ['web1'] })),
  }),
  'with files for nobody': (count) => ({
    hosts: named(count, 'h', (i) => ({ address: `a${i}` })),
    files: rows(count, (i) => ({ from: { env: 'A' }, to: `/f${i}`, hosts: [`x${i}`] })),
  }),
}

const few = 100
const times = 8

describe.each(Object.entries(fleets))('a fleet %s', (_, fleet) => {
  const inventory = (count: number): Inventory => inventorySchema.parse(fleet(count))

  it('is checked by every rule with reads in proportion to its size', () => {
    const reads = (rule: (typeof inventoryRules)[number], count: number): number =>
      countReads(inventory(count), rule.broken)
    for (const rule of [...inventoryRules, ...memberRules]) {
      expect(reads(rule, few * times)).toBeLessThanOrEqual(reads(rule, few) * times + times)
    }
  })

  it('has its hosts put together with reads in proportion to its size', () => {
    const read = checkFleetFile('hosts: { web1: { address: a } }', 'netops.yml')
    if ('problems' in read) throw new Error('a fleet file that is valid')
    const reads = (count: number): number =>
      countReads(inventory(count), (counted) =>
        hostsOf({ ...read, inventory: counted }, undefined, { folder: '/fleet', home: '/home/op' }),
      )
    expect(reads(few * times)).toBeLessThanOrEqual(reads(few) * times + times)
  })
})
