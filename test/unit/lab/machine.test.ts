import { describe, expect, test } from 'vitest'
import { labPackages, requirePackages, requireRoot } from '../../../src/lab/machine.ts'

describe('a machine for labs', () => {
  test('needs root, and says so', () => {
    expect(() => requireRoot(1000)).toThrow(
      expect.objectContaining({ code: 'refused', hint: expect.stringContaining('sudo') as string }) as Error,
    )
    expect(() => requireRoot(0)).not.toThrow()
  })

  test('gets the exact line that installs what is missing, and only that', async () => {
    const has = (command: string) => Promise.resolve(!['nft', 'ssh-keygen'].includes(command))
    await expect(requirePackages(has)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('nftables, openssh-client') as string,
      hint: 'apt-get install -y --no-install-recommends nftables openssh-client',
    })
  })

  test('is fine when every command is there', async () => {
    await expect(requirePackages(() => Promise.resolve(true))).resolves.toBeUndefined()
  })

  test('tells a set-up script every package it needs', async () => {
    const nothing = requirePackages(() => Promise.resolve(false))
    await expect(nothing).rejects.toMatchObject({ hint: expect.stringContaining(labPackages.join(' ')) as string })
  })
})
