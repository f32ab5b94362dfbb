// What every driver of hosts must do, as tests: test/integration/hosts.test.ts runs them against each.
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { text as readAll } from 'node:stream/consumers'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyCommands } from '../../../../src/drivers/hosts/apply.ts'
import { commandsOf } from '../../../../src/drivers/hosts/commands.ts'
import type { HostConnection } from '../../../../src/drivers/hosts/port.ts'
import { readerOver } from '../../../../src/drivers/hosts/reader.ts'
import type { HostEffect } from '../../../../src/model/effects.ts'
import { sha256OfText } from '../../../../src/system/files.ts'
import { identify } from '../../../../src/system/processes.ts'

/** So many pieces of a million letters. */
async function* pieces(count: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < count; sent += 1) yield await Promise.resolve(Buffer.alloc(1_000_000, 'x'))
}

/** @param connect connects to this very machine, so that the tests see what was done to it */
export function hostContract(name: string, connect: () => Promise<HostConnection>): void {
  describe(`a host over ${name}`, () => {
    let folder: string
    let host: HostConnection
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'netops-host-'))
      host = await connect()
    })
    afterEach(async () => {
      await host.close()
      await rm(folder, { recursive: true, force: true })
    })
    const at = (path: string): string => join(folder, path)
    const apply = (effect: HostEffect) => applyCommands(host, commandsOf(effect))

    describe('opens a connection from there', () => {
      test.each(['port', 'socket'] as const)('to a %s', async (kind) => {
        const server = createServer((socket) => socket.pipe(socket)).listen(
          kind === 'port' ? { host: '127.0.0.1', port: 0 } : { path: at('echo') },
        )
        await once(server, 'listening')
        const address = server.address()
        const to =
          address !== null && typeof address === 'object'
            ? { host: '127.0.0.1', port: address.port }
            : { socket: at('echo') }
        const stream = await host.open(to)
        stream.end('there and back')
        expect(await readAll(stream)).toBe('there and back')
        server.close()
        await once(server, 'close')
      })

      test.each([{ host: '127.0.0.1', port: 1 }, { socket: '/no/such/socket' }])(
        'and says when nothing listens: %j',
        async (to) => {
          await expect(host.open(to)).rejects.toMatchObject({ code: 'unreachable', host: host.name })
        },
      )
    })

    describe('runs a command', () => {
      test('with its arguments unchanged, whatever they hold', async () => {
        const odd = [
          '',
          ' ',
          "it's",
          '"',
          '$HOME',
          '`id`',
          '\\',
          'a\nb',
          '*',
          '~',
          '#',
          '!',
          ';',
          '&',
          '-n',
          'ü 漢 🙂',
          '\t',
        ]
        const result = await host.run(['printf', '%s\\0', ...odd])
        expect(result).toEqual({ code: 0, stdout: odd.map((word) => `${word}\0`).join(''), stderr: '' })
      })

      test('and keeps what it prints and what it complains of apart', async () => {
        const result = await host.run(['sh', '-c', 'echo out; echo err >&2; exit 3'])
        expect(result).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' })
      })

      test.each([0, 1, 42, 127, 255])('and gives its exit code %i', async (code) => {
        expect((await host.run(['sh', '-c', `exit ${code}`])).code).toBe(code)
      })

      test('and gives 128 + n where signal n ended it', async () => {
        expect((await host.run(['sh', '-c', 'kill -TERM $$'])).code).toBe(143)
      })

      test('with a text as its input', async () => {
        const text = 'ü\nlast line without an end'
        expect((await host.run(['cat'], { stdin: { text } })).stdout).toBe(text)
      })

      test('with a file as its input', async () => {
        const text = `${'0123456789'.repeat(300_000)}\n`
        await writeFile(at('big'), text)
        const { stdout } = await host.run(['sha256sum'], { stdin: { file: at('big') } })
        expect(stdout).toBe(`${sha256OfText(text)}  -\n`)
      })

      test('with a stream as its input', async () => {
        const { stdout } = await host.run(['sha256sum'], { stdin: { stream: () => pieces(3) } })
        expect(stdout).toBe(`${sha256OfText('x'.repeat(3_000_000))}  -\n`)
      })

      test('not to an end that looks good when its stream breaks off', async () => {
        const stream = async function* () {
          yield* pieces(1)
          throw new Error('the source is gone')
        }
        await expect(host.run(['cat'], { stdin: { stream }, timeoutMs: 5000 })).rejects.toThrow()
        expect((await host.run(['true'])).code).toBe(0)
      })

      test('with an empty input unless it is given one', async () => {
        expect(await host.run(['cat'])).toEqual({ code: 0, stdout: '', stderr: '' })
      })

      test('that does not read its input, to its own end', async () => {
        await writeFile(at('big'), 'x'.repeat(3_000_000))
        expect((await host.run(['sh', '-c', 'exit 7'], { stdin: { file: at('big') } })).code).toBe(7)
        expect((await host.run(['sh', '-c', 'exit 7'], { stdin: { text: 'x'.repeat(3_000_000) } })).code).toBe(7)
        expect((await host.run(['sh', '-c', 'exit 7'], { stdin: { stream: () => pieces(3) } })).code).toBe(7)
      })

      test('and passes each line on as it comes', async () => {
        const seen: string[] = []
        const script = 'echo first; read answer < "$0"; echo "$answer"; printf last'
        await host.run(['mkfifo', at('pipe')])
        const running = host.run(['sh', '-c', script, at('pipe')], {
          onLine: (line) => {
            seen.push(line)
            // Only when this came before the end can the command go on.
            if (line === 'first') void writeFile(at('pipe'), 'second\n')
          },
        })
        expect(await running).toEqual({ code: 0, stdout: '', stderr: '' })
        expect(seen).toEqual(['first', 'second', 'last'])
      })

      test('no longer than its time', async () => {
        const begun = performance.now()
        await expect(host.run(['sleep', '30'], { timeoutMs: 200 })).rejects.toMatchObject({
          code: 'failed',
          message: expect.stringContaining('sleep did not end within 200 ms') as unknown,
        })
        expect(performance.now() - begun).toBeLessThan(5000)
        expect((await host.run(['true'])).code).toBe(0)
      })

      test('until it is told to stop', async () => {
        const stop = new AbortController()
        const onLine = (): void => stop.abort()
        const running = host.run(['sh', '-c', 'echo started; exec sleep 30'], { onLine, signal: stop.signal })
        await expect(running).rejects.toMatchObject({ code: 'interrupted' })
        expect((await host.run(['true'])).code).toBe(0)
      })

      test('until it is told to stop, and then it has ended on the host, however it was started', async () => {
        const stop = new AbortController()
        const script = 'echo "$$"; sleep 30; echo after'
        let pid = 0
        const onLine = (line: string): void => {
          pid = Number(line)
          stop.abort()
        }
        const running = host.run(['sh', '-c', script], { onLine, signal: stop.signal })
        await expect(running).rejects.toMatchObject({ code: 'interrupted' })
        expect(pid).toBeGreaterThan(1)
        expect(await identify(pid)).toBeUndefined()
      })

      test('that was told to stop before it began', async () => {
        const begun = performance.now()
        const running = host.run(['sleep', '30'], { signal: AbortSignal.abort() })
        await expect(running).rejects.toMatchObject({ code: 'interrupted' })
        expect(performance.now() - begun).toBeLessThan(3000)
      })

      test('whose time is over so that it has ended on the host, where it could be told to stop', async () => {
        const { signal } = new AbortController()
        let pids: readonly number[] = []
        const onLine = (line: string): void => void (pids = line.split(' ').map(Number))
        const script = 'sleep 30 & echo "$$ $!"; wait'
        const running = host.run(['sh', '-c', script], { onLine, signal, timeoutMs: 1500 })
        await expect(running).rejects.toMatchObject({ code: 'failed' })
        expect(pids).toHaveLength(2)
        // What it has started ends at the same time, by itself.
        for (const pid of pids) await expect.poll(() => identify(pid), { timeout: 5000 }).toBeUndefined()
      })

      test('and passes its output on byte for byte as it comes, what it complains of apart', async () => {
        const seen = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
        const script = 'printf "a\\377\\000\\r\\n"; printf "err" >&2; read answer < "$0"; printf "%s" "$answer"; exit 4'
        await host.run(['mkfifo', at('pipe')])
        const { signal } = new AbortController()
        const running = host.run(['sh', '-c', script, at('pipe')], {
          signal,
          onOutput: (bytes, stream) => {
            const before = seen.stdout.length
            seen[stream] = Buffer.concat([seen[stream], bytes])
            // Only when this came before the end can the command go on.
            if (stream === 'stdout' && before === 0) void writeFile(at('pipe'), 'second\n')
          },
        })
        expect(await running).toEqual({ code: 4, stdout: '', stderr: '' })
        expect(seen.stdout).toEqual(Buffer.from('a\xff\0\r\nsecond', 'latin1'))
        expect(seen.stderr).toEqual(Buffer.from('err'))
      })

      test('and waits for whoever takes its output', async () => {
        let [taken, atOnce, most] = [0, 0, 0]
        const result = await host.run(['head', '-c', '3000000', '/dev/zero'], {
          onOutput: async (bytes) => {
            most = Math.max(most, ++atOnce)
            await new Promise((resolve) => setImmediate(resolve))
            taken += bytes.length
            atOnce -= 1
          },
        })
        expect([result.code, taken, most]).toEqual([0, 3_000_000, 1])
      })

      test('with bytes as its input', async () => {
        const bytes = Buffer.from([0, 255, 10, 128])
        expect((await host.run(['od', '-An', '-tu1'], { stdin: { bytes } })).stdout.trim()).toMatch(/^0 +255 +10 +128$/)
      })

      test('beside others', async () => {
        const results = await Promise.all(Array.from({ length: 8 }, (_, index) => host.run(['echo', String(index)])))
        expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, (_, index) => `${index}\n`))
      })
    })

    describe('is read', () => {
      test('as it is', async () => {
        await mkdir(at('d'))
        await writeFile(at('d/text'), 'ü\n')
        await writeFile(at('d/.hidden'), '')
        await symlink('nowhere', at('d/link'))
        const reader = readerOver(host)
        expect(await reader.readText(at('d/text'))).toBe('ü\n')
        expect(await reader.sha256(at('d/text'))).toBe(sha256OfText('ü\n'))
        expect(await reader.readLink(at('d/link'))).toBe('nowhere')
        expect(await reader.list(at('d'))).toEqual(['.hidden', 'link', 'text'])
        expect([await reader.exists(at('d/text')), await reader.exists(at('d/link'))]).toEqual([true, true])
      })

      test('with nothing where there is nothing', async () => {
        const reader = readerOver(host)
        const missing = at('no/such thing')
        expect(await reader.readText(missing)).toBeUndefined()
        expect(await reader.sha256(missing)).toBeUndefined()
        expect(await reader.readLink(missing)).toBeUndefined()
        expect(await reader.list(missing)).toEqual([])
        expect(await reader.exists(missing)).toBe(false)
      })

      test('with an error where something cannot be read', async () => {
        await expect(readerOver(host).readText(folder)).rejects.toMatchObject({ code: 'refused', host: host.name })
      })
    })

    describe('is changed', () => {
      const content = 'one\nü\n'
      const hash = sha256OfText(content)
      const effects: readonly [string, () => HostEffect][] = [
        ['write', () => ({ kind: 'write', path: at('f'), mode: '0640', content })],
        [
          'push',
          () => ({ kind: 'push', from: at('from'), path: at('f'), mode: '0640', sha256: hash, size: content.length }),
        ],
        ['copy', () => ({ kind: 'copy', from: at('from'), path: at('f'), mode: '0640', sha256: hash })],
      ]
      beforeEach(() => writeFile(at('from'), content))

      test.each(effects)(
        'by %s, once or again, wholly or half before, with nothing left beside it',
        async (_, effect) => {
          await writeFile(at('.f.netops-new'), 'what a cut off attempt left, longer than the text')
          for (const attempt of [1, 2]) {
            await apply(effect())
            expect([attempt, await readFile(at('f'), 'utf8')]).toEqual([attempt, content])
            expect((await stat(at('f'))).mode & 0o7777).toBe(0o640)
          }
          expect((await readdir(folder)).sort()).toEqual(['f', 'from'])
        },
      )

      test.each(effects)(
        'by %s as a whole: whoever has the old file open still reads the old one',
        async (_, effect) => {
          await writeFile(at('f'), 'old')
          const before = (await stat(at('f'))).ino
          await apply(effect())
          expect((await stat(at('f'))).ino).not.toBe(before)
        },
      )

      test.each<[string, () => HostEffect]>([
        ['write', () => ({ kind: 'write', path: at('f'), mode: '0640', content, unlessSame: true })],
        [
          'copy',
          () => ({ kind: 'copy', from: at('from'), path: at('f'), mode: '0640', sha256: hash, unlessSame: true }),
        ],
      ])('by %s where it has another content or is missing; else only in its mode', async (_, effect) => {
        for (const before of [undefined, 'another content', content]) {
          await rm(at('f'), { force: true })
          if (before !== undefined) await writeFile(at('f'), before, { mode: 0o600 })
          const { ino } = before === undefined ? { ino: 0 } : await stat(at('f'))
          await apply(effect())
          const after = await stat(at('f'))
          expect([await readFile(at('f'), 'utf8'), after.mode & 0o7777]).toEqual([content, 0o640])
          expect(after.ino === ino).toBe(before === content)
        }
      })

      test.each(effects.slice(1))('by %s not at all when the hash is another: that is damage', async (_, effect) => {
        await writeFile(at('f'), 'old')
        await writeFile(at('from'), 'another text\n')
        await expect(apply(effect())).rejects.toMatchObject({ code: 'damaged', host: host.name })
        expect(await readFile(at('f'), 'utf8')).toBe('old')
      })

      test('by a link, once or again, also over a link to a folder', async () => {
        await mkdir(at('one'))
        await mkdir(at('two'))
        for (const target of ['one', 'two', 'two']) {
          await apply({ kind: 'link', path: at('current'), target })
          expect(await readlink(at('current'))).toBe(target)
        }
        expect([await readdir(at('one')), await readdir(at('two'))]).toEqual([[], []])
      })

      test('by removing, once or again', async () => {
        await mkdir(at('tree/deep'), { recursive: true })
        await mkdir(at('empty'))
        for (const attempt of [1, 2]) {
          await apply({ kind: 'remove', path: at('from') })
          await apply({ kind: 'remove-empty', path: at('empty') })
          await apply({ kind: 'remove-empty', path: at('tree') })
          expect([attempt, await readdir(folder)]).toEqual([attempt, ['tree']])
        }
        await apply({ kind: 'remove-tree', path: at('tree') })
        await apply({ kind: 'remove-tree', path: at('tree') })
        expect(await readdir(folder)).toEqual([])
      })

      test('by a folder with its parents and mode', async () => {
        await apply({ kind: 'directory', path: at('a/b'), mode: '0750' })
        await apply({ kind: 'directory', path: at('a/b'), mode: '0700' })
        expect((await stat(at('a/b'))).mode & 0o7777).toBe(0o700)
      })

      test('not by what fails: the error names the command and what it said', async () => {
        await writeFile(at('file'), '')
        const failed = apply({ kind: 'write', path: at('file/below'), mode: '0644', content })
        await expect(failed).rejects.toMatchObject({
          code: 'failed',
          host: host.name,
          message: expect.stringMatching(/^install -m 0600 .* exited with 1: .*Not a directory/) as unknown,
        })
      })

      test('not beyond what fails among several commands', async () => {
        const [first, second, third] = ['first', 'second', 'third'].map((name) => at(name))
        const touch = (path = '') => ({ argv: ['touch', '--', path] })
        const failing = { argv: ['sh', '-c', 'cat; printf bad >&2; exit 3'], failAs: 'damaged' } as const
        await applyCommands(host, [touch(first), { argv: ['cat'] }, touch(second)])
        await expect(applyCommands(host, [failing, touch(third)])).rejects.toMatchObject({
          code: 'damaged',
          host: host.name,
          message: expect.stringMatching(/^sh -c .*cat.* exited with 3: bad$/) as unknown,
        })
        expect((await readdir(folder)).filter((name) => name !== 'from')).toEqual(['first', 'second'])
      })

      test('not by a check, whose failure is called what it was said to be', async () => {
        await apply({ kind: 'check', argv: ['true'], code: 'usage' })
        await expect(apply({ kind: 'check', argv: ['false'], code: 'usage' })).rejects.toMatchObject({ code: 'usage' })
      })
    })
  })
}
