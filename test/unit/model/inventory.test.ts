import { describe, expect, test } from 'vitest'
import { inventorySchema } from '../../../src/model/inventory.ts'

const hosts = { web1: { address: '10.0.0.11' } }

describe('a fleet file', () => {
  test('needs only hosts; what it leaves out has the documented defaults', () => {
    expect(inventorySchema.parse({ hosts })).toEqual({
      hosts,
    })
    expect(inventorySchema.parse({ hosts, deploy: {} }).deploy).toEqual({
      min_healthy_time: 10_000,
      healthy_deadline: 120_000,
    })
  })

  test.each([
    ['an unknown key', { hosts, host: {} }],
    ['an unknown key of a host', { hosts: { web1: { address: 'a', adress: 'b' } } }],
    ['a host without an address', { hosts: { web1: {} } }],
    ['a host name that is none', { hosts: { 'Web 1': { address: 'a' } } }],
    ['a name that leads out of a folder', { hosts: { '../x': { address: 'a' } } }],
    ['a port out of range', { hosts: { web1: { address: 'a', port: 65_536 } } }],
    ['a duration without a unit', { hosts, deploy: { min_healthy_time: '10' } }],
  ])('is refused with %s', (_, given) => expect(inventorySchema.safeParse(given).success).toBe(false))
})
