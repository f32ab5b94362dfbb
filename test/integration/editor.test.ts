// An editor's help from the published schemas: the YAML language server that editors use, asked as an editor asks it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { exec } from '../../src/system/exec.ts'

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
}

interface Item {
  readonly label: string
  readonly documentation?: string | { readonly value: string }
}

interface Diagnostic {
  readonly message: string
  readonly range: { readonly start: { readonly line: number; readonly character: number } }
}

const executable = join(
  dirname(createRequire(import.meta.url).resolve('yaml-language-server/package.json')),
  'bin',
  'yaml-language-server',
)

/** An editor's side of the language server protocol, as far as these tests need it. */
class Editor {
  readonly #server = spawn(process.execPath, [executable, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] })
  readonly #waiting = new Map<number, (result: unknown) => void>()
  readonly #diagnostics = new Map<string, (found: readonly Diagnostic[]) => void>()
  #rest = Buffer.alloc(0)
  #asked = 0

  constructor() {
    this.#server.stdout.on('data', (chunk: Buffer) => this.#read(chunk))
    onTestFinished(async () => {
      this.#server.kill()
      await once(this.#server, 'exit')
    })
  }

  async start(): Promise<void> {
    await this.ask('initialize', { processId: process.pid, rootUri: null, capabilities: {} })
    this.#send({ method: 'initialized', params: {} })
  }

  /** Opens a file and returns what the server finds wrong with it. */
  async open(file: string, text: string): Promise<readonly Diagnostic[]> {
    const uri = pathToFileURL(file).href
    const found = new Promise<readonly Diagnostic[]>((resolve) => this.#diagnostics.set(uri, resolve))
    this.#send({
      method: 'textDocument/didOpen',
      params: { textDocument: { uri, languageId: 'yaml', version: 1, text } },
    })
    return found
  }

  async complete(file: string, line: number, character: number): Promise<readonly Item[]> {
    const textDocument = { uri: pathToFileURL(file).href }
    const answer = await this.ask('textDocument/completion', { textDocument, position: { line, character } })
    return (answer as { items: readonly Item[] }).items
  }

  async ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#asked
    const answered = new Promise((resolve) => this.#waiting.set(id, resolve))
    this.#send({ id, method, params })
    return answered
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message })
    this.#server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const head = this.#rest.indexOf('\r\n\r\n')
      const length = Number(/Content-Length: (\d+)/i.exec(this.#rest.subarray(0, Math.max(head, 0)).toString())?.[1])
      if (head < 0 || this.#rest.length < head + 4 + length) return
      const text = this.#rest.subarray(head + 4, head + 4 + length).toString()
      this.#rest = this.#rest.subarray(head + 4 + length)
      this.#take(JSON.parse(text) as Message)
    }
  }

  #take(message: Message): void {
    if (message.method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = message.params as { uri: string; diagnostics: readonly Diagnostic[] }
      this.#diagnostics.get(uri)?.(diagnostics)
    } else if (message.id !== undefined && message.method !== undefined) {
      // It asks for settings: there are none.
      this.#send({ id: message.id, result: message.method === 'workspace/configuration' ? [{}, {}, {}, {}, {}] : null })
    } else if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message.result)
    }
  }
}

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-editor-'))
  const init = ['config', 'init', folder, '--host', 'web1=10.0.0.1', '--yes']
  expect(await exec([inject('builds').netops, ...init])).toMatchObject({ code: 0 })
  return () => rm(folder, { recursive: true, force: true })
})

describe('an editor with the files that netops config init wrote', () => {
  test.each(['config.yaml', 'netops.yml'])('finds nothing wrong with %s', async (name) => {
    const editor = new Editor()
    await editor.start()
    const file = join(folder, name)
    expect(await editor.open(file, await readFile(file, 'utf8'))).toEqual([])
  })

  test('offers the keys of a section with what they are for', async () => {
    const editor = new Editor()
    await editor.start()
    const file = join(folder, 'typing.yaml')
    const text = '# yaml-language-server: $schema=config.schema.json\nserver:\n  max\n'
    await writeFile(file, text)
    await editor.open(file, text)
    const items = await editor.complete(file, 2, 5)
    const offered = items.find(({ label }) => label === 'max_connections')
    expect(JSON.stringify(offered?.documentation)).toContain('Connections that may be open at once')
  })

  test('offers the values of a key', async () => {
    const editor = new Editor()
    await editor.start()
    const file = join(folder, 'values.yaml')
    const text = '# yaml-language-server: $schema=config.schema.json\nlogging:\n  level: \n'
    await writeFile(file, text)
    await editor.open(file, text)
    const labels = (await editor.complete(file, 2, 9)).map(({ label }) => label)
    expect(labels).toEqual(expect.arrayContaining(['DEBUG', 'INFO', 'ERROR']))
  })

  test('offers what differs on a host: the keys of the server', async () => {
    const editor = new Editor()
    await editor.start()
    const file = join(folder, 'hosts.yml')
    const head = '# yaml-language-server: $schema=netops.schema.json\nhosts:\n  web1:\n    address: a\n'
    const text = `${head}    config:\n      server:\n        max\n`
    await writeFile(file, text)
    await editor.open(file, text)
    const labels = (await editor.complete(file, 6, 11)).map(({ label }) => label)
    expect(labels).toContain('max_connections')
  })

  test('marks what is wrong at its place', async () => {
    const editor = new Editor()
    await editor.start()
    const file = join(folder, 'wrong.yaml')
    const text =
      '# yaml-language-server: $schema=config.schema.json\nserver:\n  port: 70000\n  prot: 1\nsecurity: { ssl_enabled: true }\n'
    await writeFile(file, text)
    const found = await editor.open(file, text)
    expect(found.map(({ range }) => range.start.line).sort()).toEqual(expect.arrayContaining([2, 3, 4]))
    expect(found.map(({ message }) => message).join('\n')).toMatch(/65535[^]*prot|prot[^]*65535/)
  })
})
