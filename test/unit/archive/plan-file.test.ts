// A plan is read while it is being written.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PlanFile } from '../../../src/archive/plan-file.ts'

let scratch: string
let file: PlanFile
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'plan-'))
  file = await PlanFile.begin(join(scratch, 'plan'))
})
afterEach(async () => {
  await file.close()
  await rm(scratch, { recursive: true })
})

const all = async (): Promise<string> => {
  let text = Buffer.alloc(0)
  for await (const bytes of file.read()) text = Buffer.concat([text, bytes])
  return text.toString()
}

test('a reader gets all of it, whenever it is written', async () => {
  await file.append('first\n')
  const reading = all()
  await file.append('ä'.repeat(300_000))
  await new Promise(setImmediate)
  await file.append('last\n')
  file.end()
  expect(await reading).toBe(`first\n${'ä'.repeat(300_000)}last\n`)
})

test('a reader is told why it does not go on', async () => {
  await file.append('first\n')
  const reading = all()
  file.end(new Error('the walk failed'))
  await expect(reading).rejects.toThrow('the walk failed')
})
