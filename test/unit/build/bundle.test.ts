import { expect, test } from 'vitest'
import { bundle } from '../../../src/build/bundle.ts'
import { ownCheckout } from '../../../src/build/checkout.ts'

test('a bundle has the client and the agents of ssh2, and nothing that speaks HTTP', async () => {
  const entry = 'src/drivers/hosts/ssh-transport.ts'
  const { code, warnings } = await bundle({ checkout: ownCheckout, entry, facts: {} })
  expect(warnings).toEqual([])
  const modules = new Set([...code.matchAll(/\("([a-z_/]+)"\)/g)].map(([, name]) => name))
  expect([modules.has('net'), modules.has('http'), modules.has('https')]).toEqual([true, false, false])
  expect(code.includes('Client:require_client(),CygwinAgent')).toBe(true)
})
