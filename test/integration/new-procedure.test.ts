// A procedure is added in its folder and in one list, and nowhere else: it runs, is shown, resumed and undone like any other.
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostPaths } from '../../src/model/paths.ts'
import { exec } from '../../src/system/exec.ts'
import { readTextIfAny } from '../../src/system/files.ts'
import { checkout } from '../support/server-process.ts'

const procedure = `// A procedure that leaves a mark, for a test.
import * as z from 'zod'
import { below } from '../../model/paths.ts'
import { sequence, type Step } from '../../model/plan.ts'
import { requestFields } from '../host-request.ts'
import { defineHostProcedure } from '../procedure.ts'

const request = z.strictObject({ procedure: z.literal('mark'), ...requestFields, text: z.string() })

export const mark = defineHostProcedure<z.infer<typeof request>, string | undefined>({
  name: 'mark',
  title: 'Mark the host',
  request,
  leases: LEASES,
  facts: ({ root }, { reader }) => reader.readText(below(root, '/mark-one')),
  plan({ host, root, text }, before) {
    const step = (name: string): Step => {
      const path = below(root, \`/mark-\${name}\`)
      return {
        kind: 'step',
        id: name,
        host,
        title: \`Leave the mark \${name}\`,
        act: before === text ? [] : [{ kind: 'write', path, content: text, mode: '0644' }],
        undo: before === text ? [] : [{ kind: 'remove', path }],
        ...(before === text ? { unchanged: true } : {}),
      }
    }
    return sequence('Mark the host', [step('one'), step('two')])
  },
  reason: () => 'marking',
  result: (_, changed) => ({ text: changed ? 'marked' : 'nothing to do', data: {} }),
})
`

let folder = ''
let netops = ''
let root = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-procedure-'))
  root = join(folder, 'site')
  await mkdir(root)
  for (const part of [
    'src',
    'bin',
    'scripts',
    'templates',
    'schemas',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
  ]) {
    await cp(join(checkout, part), join(folder, part), { recursive: true })
  }
  await symlink(join(checkout, 'node_modules'), join(folder, 'node_modules'))
  await mkdir(join(folder, 'src/procedures/mark'))
  await writeFile(join(folder, 'src/procedures/mark/host-procedure.ts'), procedure.replace('LEASES', "['release']"))
  const list = join(folder, 'src/procedures/list.ts')
  const text = await readFile(list, 'utf8')
  const added = text
    .replace('import { tune }', "import { mark } from './mark/host-procedure.ts'\nimport { tune }")
    .replace('[activate, tune, gc, ', '[activate, tune, gc, mark, ')
  expect(added.split('\n').length).toBe(text.split('\n').length + 1)
  await writeFile(list, added)
  // As the executable that a build makes of it.
  netops = join(folder, 'netops')
  await writeFile(netops, `#!/bin/sh\nexec '${join(folder, 'bin/netops')}' "$@"\n`)
  await chmod(netops, 0o755)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const call = async (words: readonly string[], { text = '', fault = '' } = {}) => {
  const env = { NETOPS_EXECUTABLE: netops, NETOPS_FAULT: fault }
  const stdin = { text: JSON.stringify({ text }) }
  const ran = await exec([netops, ...words, '--root', root, '--json'], { env, stdin, timeoutMs: 60_000 })
  return { code: ran.code, stderr: ran.stderr, json: ran.stdout === '' ? {} : (JSON.parse(ran.stdout) as Document) }
}

interface Document {
  readonly run?: string
  readonly changed?: boolean
  readonly runs?: readonly { readonly run: string; readonly procedure: string; readonly outcome: string }[]
  readonly records?: readonly { readonly type: string }[]
  readonly mark?: readonly { readonly title: string; readonly commands: readonly string[] }[]
}

const marks = async () => Promise.all(['one', 'two'].map((name) => readTextIfAny(join(root, `mark-${name}`))))
const cutOff = async (): Promise<string> => {
  const names = await readdir(hostPaths(root).runs)
  return (
    names
      .filter((name) => name.includes('-mark-'))
      .sort()
      .at(-1) ?? ''
  )
}

describe('a new procedure', () => {
  test('is shown by a dry run that changes nothing', async () => {
    const shown = await call(['runs', 'start', 'mark', '--dry-run'], { text: 'first' })
    expect(shown).toMatchObject({
      code: 0,
      json: { mark: [{ title: 'Leave the mark one' }, { title: 'Leave the mark two' }] },
    })
    expect(shown.json.mark?.[0]?.commands.join('\n')).toContain('mark-one')
    expect(await readdir(root)).toEqual([])
  })

  test('runs, is listed and shown, and finds nothing to do the second time', async () => {
    const ran = await call(['runs', 'start', 'mark'], { text: 'first' })
    expect(ran).toMatchObject({ code: 0, json: { changed: true } })
    expect(await marks()).toEqual(['first', 'first'])
    const run = ran.json.run ?? ''
    expect((await call(['runs', 'list'])).json.runs).toContainEqual(
      expect.objectContaining({ run, procedure: 'mark', outcome: 'done' }),
    )
    const shown = await call(['runs', 'show', run])
    expect(shown.json.records?.map(({ type }) => type)).toEqual(['run', 'begin', 'done', 'begin', 'done', 'end'])
    expect(await call(['runs', 'start', 'mark'], { text: 'first' })).toMatchObject({
      code: 0,
      json: { changed: false },
    })
  })

  test('is undone by the name of its run', async () => {
    const ran = await call(['runs', 'start', 'mark'], { text: 'second' })
    expect(ran.code).toBe(0)
    expect(await call(['runs', 'undo', ran.json.run ?? ''])).toMatchObject({ code: 0 })
    expect(await marks()).toEqual([undefined, undefined])
  })

  test('goes on where it was killed, and meanwhile keeps out only what takes the same lease', async () => {
    const killed = await call(['runs', 'start', 'mark'], { text: 'third', fault: 'kill-after:done:one' })
    expect(killed.code).toBe(137)
    expect(await marks()).toEqual(['third', undefined])
    const run = await cutOff()
    expect(await call(['runs', 'start', 'mark'], { text: 'fourth' })).toMatchObject({ code: 6 })
    const other = await exec([netops, 'runs', 'start', 'backup-expire', '--root', root], {
      env: { NETOPS_EXECUTABLE: netops },
    })
    expect(other).toMatchObject({ code: 0 })
    expect(await call(['runs', 'resume', run])).toMatchObject({ code: 0 })
    expect(await marks()).toEqual(['third', 'third'])
    const { json } = await call(['runs', 'show', run])
    expect(json.records?.map(({ type }) => type)).toEqual(['run', 'begin', 'done', 'resumed', 'begin', 'done', 'end'])
  })

  test('refuses a field that it does not know, by name', async () => {
    const refused = await exec([netops, 'runs', 'start', 'mark', '--root', root], {
      env: { NETOPS_EXECUTABLE: netops },
      stdin: { text: JSON.stringify({ text: 'x', colour: 'red' }) },
    })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('colour') as string })
  })
})
