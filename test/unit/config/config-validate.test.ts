import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CommandResult } from '../../../src/cli/command.ts'
import { configValidate } from '../../../src/cli/commands/config-validate.ts'
import { contextFor } from '../../support/context.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-validate-'))
})
afterEach(() => rm(folder, { recursive: true }))

const run = (...args: string[]): Promise<CommandResult> => {
  const context = contextFor({ env: { NETWORK_SERVER_PORT: 'not for this command' }, cwd: folder })
  return configValidate.run({ options: {}, args }, context)
}

describe('netops config validate', () => {
  it('looks at config.yaml where no file is named', async () => {
    await writeFile(join(folder, 'config.yaml'), 'server: { port: 81 }\nsecurity: { auth: none }\n')
    expect(await run()).toEqual({
      outcome: 'done',
      data: { files: [{ file: 'config.yaml', kind: 'server', valid: true, problems: [], notes: [] }] },
      text: 'config.yaml: valid',
    })
  })

  it('says for each file whether it is valid, and fails when one is not', async () => {
    await writeFile(join(folder, 'a.yaml'), 'performance: { buffer_size: 1MiB }\nsecurity: { auth: none }\n')
    await writeFile(join(folder, 'b.yaml'), 'server: { prot: 81 }\n')
    const { outcome, text, data } = await run('a.yaml', 'b.yaml', 'c.yaml')
    expect(outcome).toBe('usage')
    const lines = text.split('\n')
    expect(lines.slice(0, 3)).toEqual([
      'a.yaml: valid',
      'a.yaml: note: performance.buffer_size: this release leaves buffers to the system',
      'b.yaml:1:11 server.prot: unknown key; did you mean port?',
    ])
    expect(lines[3]).toMatch(/^c\.yaml: cannot be read: ENOENT/)
    expect(data).toMatchObject({
      files: [
        { file: 'a.yaml', valid: true },
        { file: 'b.yaml', valid: false, problems: [{ line: 1, column: 11, path: 'server.prot', suggestion: 'port' }] },
        { file: 'c.yaml', valid: false },
      ],
    })
  })

  it('tells that nobody is let in where tokens are asked for and there is no key', async () => {
    const note =
      'config.yaml: note: security.auth: token, and no key to know tokens by: everything but health is refused. Name a file with the key by auth.jwt_secret_file, or write security.auth: none'
    await writeFile(join(folder, 'config.yaml'), 'server: { port: 81 }\n')
    expect((await run()).text.split('\n')).toEqual(['config.yaml: valid', note])
    for (const text of [
      'security: { auth: none }',
      'auth: { jwt_secret_file: /k }',
      `auth: { jwt_secret: ${'k'.repeat(32)} }`,
    ]) {
      await writeFile(join(folder, 'config.yaml'), text)
      expect((await run()).text).toBe('config.yaml: valid')
    }
  })

  it('tells that metrics are there for everybody, also on a host of the fleet', async () => {
    const note = 'metrics.host: 0.0.0.0 is every address of the host: /metrics asks nobody for a token.'
    await writeFile(join(folder, 'config.yaml'), 'metrics: { host: 0.0.0.0 }\n')
    await writeFile(join(folder, 'own.yaml'), '')
    await writeFile(
      join(folder, 'netops.yml'),
      [
        'config: { file: own.yaml }',
        'hosts:',
        '  web1: { address: 10.0.0.1, config: { metrics: { host: 0.0.0.0 } } }',
        '  web2: { address: 10.0.0.2 }',
        '',
      ].join('\n'),
    )
    const { outcome, text } = await run('config.yaml', 'netops.yml')
    expect(outcome).toBe('done')
    expect(text).toContain(`config.yaml: note: ${note}`)
    expect(text).toContain(`netops.yml: note: ${note}`)
  })
})
