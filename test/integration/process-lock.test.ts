// A lock for as long as its holder lives, whatever became of the holder before.
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { identifySelf } from '../../src/system/processes.ts'
import { tryProcessLock } from '../../src/system/process-lock.ts'

async function lockPath(): Promise<{ readonly folder: string; readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-lock-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return { folder, path: join(folder, 'lock') }
}

/** Processes that each take the lock or tell that they cannot, and stay until they are killed. */
async function contenders(path: string, count: number): Promise<readonly { pid: number; took: boolean }[]> {
  const lock = join(import.meta.dirname, '../../src/system/process-lock.ts')
  const script = `import { tryProcessLock } from ${JSON.stringify(lock)}
    console.log((await tryProcessLock(${JSON.stringify(path)})) !== undefined)
    setInterval(() => undefined, 1000)`
  const started = Array.from({ length: count }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  onTestFinished(() => {
    for (const child of started) child.kill('SIGKILL')
  })
  return Promise.all(
    started.map(async (child) => {
      const said = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data))))
      return { pid: child.pid ?? NaN, took: said.trim() === 'true' }
    }),
  )
}

describe('a lock of a process', () => {
  test('is one of so many who want it at once, and passes on from one that was killed', async () => {
    const { folder, path } = await lockPath()
    const first = (await contenders(path, 4)).filter(({ took }) => took)
    expect(first).toHaveLength(1)
    expect(await tryProcessLock(path)).toBeUndefined()
    process.kill(first[0]?.pid ?? NaN, 'SIGKILL')
    await expect.poll(() => tryProcessLock(path), { timeout: 20_000 }).toBeDefined()
    expect(await readdir(folder)).toEqual(['lock'])
  })

  test('that a dead process held is taken by one of four', async () => {
    const { folder, path } = await lockPath()
    await writeFile(path, `${JSON.stringify({ ...(await identifySelf()), startTime: '1' })}\n`)
    expect((await contenders(path, 4)).filter(({ took }) => took)).toHaveLength(1)
    expect(await readdir(folder)).toEqual(['lock'])
  })

  test.each([
    ['an earlier boot', async () => JSON.stringify({ ...(await identifySelf()), bootId: 'other' })],
    ['a power cut that left an empty file', () => Promise.resolve('')],
  ])('is free after %s, and gone when it was given back', async (_, left) => {
    const { folder, path } = await lockPath()
    await writeFile(path, await left())
    const lock = await tryProcessLock(path)
    expect(await tryProcessLock(path)).toBeUndefined()
    await lock?.release()
    expect(await readdir(folder)).toEqual([])
  })

  test('is taken also where somebody died while taking it over', async () => {
    const { folder, path } = await lockPath()
    const dead = { ...(await identifySelf()), startTime: '1' }
    await writeFile(path, `${JSON.stringify(dead)}\n`)
    // Whoever takes over from a dead holder links a claim first; this one died right then.
    const script = `import fs from 'node:fs'
      const link = fs.promises.link
      fs.promises.link = (from, to) => link(from, to).then(() => process.kill(process.pid, 'SIGKILL'))
      const { tryProcessLock } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/system/process-lock.ts'))})
      await tryProcessLock(${JSON.stringify(path)})`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
    expect(await new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)))).toBe('SIGKILL')
    expect((await readdir(folder)).filter((name) => name.includes('.after-'))).toHaveLength(1)
    const lock = await tryProcessLock(path)
    expect(lock).toBeDefined()
    expect((await readdir(folder)).filter((name) => name.includes('.after-'))).toEqual([])
  })
})
