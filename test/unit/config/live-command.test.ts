import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CommandResult, RawOptions } from '../../../src/cli/command.ts'
import { configValidate } from '../../../src/cli/commands/config-validate.ts'
import type { LiveFinding } from '../../../src/config/live.ts'
import { contextFor } from '../../support/context.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-live-'))
})
afterEach(() => rm(folder, { recursive: true }))

const run = (options: RawOptions, ...args: string[]): Promise<CommandResult> =>
  configValidate.run({ options, args }, contextFor({ cwd: folder }))

const findings = ({ data }: CommandResult): readonly LiveFinding[] =>
  (data.files as readonly { live: readonly LiveFinding[] }[]).flatMap(({ live }) => live)

describe('netops config validate', () => {
  it('touches neither files nor the network without --live', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      await writeFile(
        join(folder, 'config.yaml'),
        `server: { host: 127.0.0.1, port: ${port} }\n` +
          'security: { ssl_enabled: true, cert_file: /no/cert.pem, key_file: /no/key.pem }\n' +
          'auth: { jwt_secret_file: /no/secret }\n' +
          `database: { driver: postgres, host: 127.0.0.1, port: ${port} }\n`,
      )
      const plain = await run({})
      expect([plain.outcome, connections]).toEqual(['done', 0])
      expect(plain.text).not.toContain('/no/')
      expect(plain.data.files).toEqual([expect.not.objectContaining({ live: expect.anything() as unknown })])

      const live = await run({ live: true, root: folder })
      expect(live.outcome).toBe('usage')
      expect(connections).toBeGreaterThan(0)
      expect(live.text).toContain(`config.yaml: security.cert_file: problem: there is no file ${folder}/no/cert.pem`)
    } finally {
      server.close()
    }
  })

  it('is content with warnings, finds no fault with its own looks, and looks at valid files only', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    // Both configurations want the same port, and both are tried at once.
    const text = `server: { host: 127.0.0.1, port: ${port} }\nmetrics: { host: 127.0.0.2, port: ${port + 1} }\n`
    await Promise.all(['a.yaml', 'b.yaml'].map((name) => writeFile(join(folder, name), text)))
    await writeFile(join(folder, 'wrong.yaml'), 'server: { prot: 1 }\n')

    const valid = await run({ live: true, root: folder }, 'a.yaml', 'b.yaml')
    expect(valid.text).toContain(`b.yaml: server.port: good: 127.0.0.1:${port} is free`)
    expect(findings(valid).filter(({ kind }) => kind === 'problem')).toEqual([])
    expect(valid.outcome).toBe('done')
    expect(findings(valid)).toContainEqual(expect.objectContaining({ path: 'database.driver', kind: 'warning' }))

    const wrong = await run({ live: true, root: folder }, 'wrong.yaml')
    expect(wrong.outcome).toBe('usage')
    expect(wrong.data.files).toEqual([expect.not.objectContaining({ live: expect.anything() as unknown })])
  })

  it.each([
    [{ root: '/tmp/site' }, '--root: expected only together with --live'],
    [{ user: 'app' }, '--user: expected only together with --live'],
    [{ live: true, user: '-rf' }, '--user: expected the name of an account'],
  ])('refuses %j', async (options, message) => {
    await writeFile(join(folder, 'config.yaml'), 'server: { port: 8081 }\n')
    await expect(run(options)).rejects.toMatchObject({ code: 'usage', message })
  })
})
