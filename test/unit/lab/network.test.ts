import { describe, expect, test } from 'vitest'
import { freeNetworks } from '../../../src/lab/network.ts'

const first = (...routes: string[]) => freeNetworks(routes)[0]?.prefix

describe('the network of a lab', () => {
  test('is the first candidate where nothing is in the way', () => {
    expect(freeNetworks(['default', '192.0.2.0/24'])[0]).toEqual({ link: 'nolab0', prefix: '10.40.77' })
  })

  test.each([
    ['the same network', '10.40.77.0/24', '10.45.77'],
    ['a wider one', '10.0.0.0/8', '172.16.77'],
    ['a narrower one', '10.40.77.128/25', '10.45.77'],
    ['one address', '10.40.77.11', '10.45.77'],
    ['only a neighbour', '10.40.76.0/24', '10.40.77'],
  ])('avoids %s', (_, route, expected) => {
    expect(first(route)).toBe(expected)
  })

  test('is none when every candidate is taken', () => {
    expect(freeNetworks(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'])).toEqual([])
  })

  test('has interface names that Linux takes', () => {
    const links = freeNetworks([]).map(({ link }) => link)
    expect(links.every((link) => link.length <= 15)).toBe(true)
    expect(new Set(links).size).toBe(links.length)
  })
})
