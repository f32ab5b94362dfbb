// Trees of files as nobody tidy has them: names with line breaks and without UTF-8, links of both kinds, holes, attributes, lists
// of access, and changes of all of them; and what there is to say of a tree, so that two can be compared.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import fc from 'fast-check'
import { expect } from 'vitest'

/** A path of one character a byte. */
const path = (name: string): Buffer => Buffer.from(name, 'latin1')

/** Gives a command some paths, whatever bytes they have. */
function give(argv: readonly string[], names: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('xargs', ['-0', ...argv], { input: path(`${names.join('\0')}\0`) })
  expect({ argv, status, stderr: stderr.toString() }).toMatchObject({ status: 0 })
  return stdout.toString('latin1')
}

/** Whether the file system of a folder keeps attributes and lists of access. */
export function hasAttributes(folder: string): boolean {
  const file = `${folder}/attributes?`
  writeFileSync(file, '')
  const set = (argv: readonly string[]): boolean => spawnSync(argv[0] ?? '', argv.slice(1)).status === 0
  const has = set(['setfattr', '-n', 'user.a', '-v', 'b', file]) && set(['setfacl', '-m', 'u:1:r', file])
  rmSync(file)
  return has
}

const parts = ['a', 'b', 'a-b', 'a.b', '\xff\xfe', 'n\nl', ' s', '-d', 'x'.repeat(150), "i't*", '\\n', '\xc3\xa4']
const part = fc.constantFrom(...parts)

export type Change =
  | { readonly kind: 'file' | 'again' | 'secret'; readonly at: number; readonly part: string; readonly size: number }
  | {
      readonly kind: 'holes' | 'fifo' | 'folder' | 'move' | 'second name'
      readonly at: number
      readonly part: string
      readonly to: number
    }
  | { readonly kind: 'link'; readonly at: number; readonly part: string; readonly target: string }
  | {
      readonly kind: 'remove' | 'mode' | 'owner' | 'time' | 'attribute' | 'access'
      readonly at: number
      readonly value: number
    }

const at = fc.nat(1000)
const size = fc.oneof({ weight: 5, arbitrary: fc.nat(3000) }, { weight: 1, arbitrary: fc.nat(9_000_000) })

/** A change; where it is made, the tree decides. */
export const changes: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('file', 'again', 'secret'), at, part, size }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('folder' as const), at, part, to: at }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('holes', 'fifo', 'move', 'second name'), at, part, to: at }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('link' as const),
      at,
      part,
      target: fc.constantFrom('a', '../b', '/etc/passwd', '\xff', 'y'.repeat(200)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('remove', 'mode', 'owner', 'time', 'attribute', 'access'),
      at,
      value: fc.nat(4096),
    }),
  },
)

const content = (bytes: number, seed: number): Buffer => {
  const block = createHash('sha512').update(`${seed}`).digest()
  return Buffer.alloc(bytes, bytes > 100_000 ? block : block.toString('hex'))
}

/** Everything below a folder, and itself, as paths. */
function listed(top: string): string[] {
  const below = readdirSync(path(top), 'latin1').sort()
  return [
    top,
    ...below.flatMap((name) =>
      lstatSync(path(`${top}/${name}`)).isDirectory() ? listed(`${top}/${name}`) : [`${top}/${name}`],
    ),
  ]
}

/** Makes a change somewhere in a tree; one that cannot be made there is none. */
export function change(top: string, made: Change, can: { readonly attributes: boolean }): void {
  const all = listed(top)
  const picked = (from: readonly string[], number: number): string => from[number % from.length] ?? top
  const folders = all.filter((name) => lstatSync(path(name)).isDirectory())
  const files = all.filter((name) => lstatSync(path(name)).isFile())
  const fresh = (name: string): string | undefined => (existsOrLink(name) ? undefined : name)
  const free = 'part' in made ? fresh(`${picked(folders, made.at)}/${made.part}`) : undefined
  const any = picked(all, made.at)
  switch (made.kind) {
    case 'file':
      if (free !== undefined) writeFileSync(path(free), content(made.size, made.at))
      return
    case 'again':
      if (files.length > 0) writeFileSync(path(picked(files, made.at)), content(made.size, made.at))
      return
    case 'secret':
      if (files.length > 0) changeInSecret(picked(files, made.at), made.size)
      return
    case 'holes':
      if (free !== undefined) writeHoles(free, made.to)
      return
    case 'fifo':
      if (free !== undefined) give(['mkfifo', '--'], [free])
      return
    case 'folder':
      if (free !== undefined) mkdirSync(path(free))
      return
    case 'link':
      if (free !== undefined) symlinkSync(path(made.target), path(free))
      return
    case 'second name':
      if (free !== undefined && files.length > 0) linkSync(path(picked(files, made.to)), path(free))
      return
    case 'move': {
      const from = picked(all, made.to)
      if (free !== undefined && from !== top && !free.startsWith(`${from}/`)) renameSync(path(from), path(free))
      return
    }
    case 'remove':
      if (any !== top) rmSync(path(any), { recursive: true })
      return
    case 'mode':
      if (!lstatSync(path(any)).isSymbolicLink()) chmodSync(path(any), made.value)
      return
    case 'owner':
      if (process.getuid?.() === 0) lchownSync(path(any), made.value, made.value + 1)
      return
    case 'time':
      lutimesSync(path(any), made.value, made.value + 0.123456)
      return
    case 'attribute':
      if (can.attributes && files.length > 0)
        give(['setfattr', '-n', `user.${made.value % 3}`, '-v', `v${made.value}`], [picked(files, made.at)])
      return
    case 'access':
      if (can.attributes) giveAccess(picked([...files, ...folders], made.at), made.value)
      return
  }
}

const existsOrLink = (name: string): boolean => lstatSync(path(name), { throwIfNoEntry: false }) !== undefined

/** Other bytes, of the same number, with the same time. */
function changeInSecret(name: string, seed: number): void {
  const { size, atimeNs, mtimeNs } = lstatSync(path(name), { bigint: true })
  if (size > 10_000_000n) return
  writeFileSync(path(name), content(Number(size), seed))
  utimesSync(path(name), Number(atimeNs) / 1e9, Number(mtimeNs) / 1e9)
}

function writeHoles(name: string, seed: number): void {
  const file = openSync(path(name), 'w')
  writeSync(file, content(5000, seed), 0, 5000, (seed % 7) * 400_000)
  ftruncateSync(file, 3_000_000 + seed)
  closeSync(file)
}

function giveAccess(name: string, value: number): void {
  const isFolder = lstatSync(path(name)).isDirectory()
  give(['setfacl', ...(isFolder && value % 2 === 0 ? ['-d'] : []), '-m', `u:${1 + (value % 5)}:r`], [name])
}

/** All that there is to say of a tree, by name. What no archive holds is left out of it. */
export function portrait(top: string, attributes: boolean): ReadonlyMap<string, unknown> {
  const names = listed(top).filter((name) => !lstatSync(path(name)).isFIFO() && !lstatSync(path(name)).isSocket())
  const firstOf = new Map<string, string>()
  const found = names.map((name): [string, Record<string, unknown>] => {
    const { mode, uid, gid, size, mtimeNs, ino, nlink, blocks } = lstatSync(path(name), { bigint: true })
    const stat = lstatSync(path(name))
    const short = name.slice(top.length)
    const first = firstOf.get(`${ino}`) ?? short
    if (stat.isFile()) firstOf.set(`${ino}`, first)
    const shown = { mode: mode.toString(8), uid: `${uid}`, gid: `${gid}` }
    if (stat.isSymbolicLink())
      return [short, { uid: `${uid}`, gid: `${gid}`, time: `${mtimeNs}`, target: readlinkSync(path(name), 'latin1') }]
    if (stat.isDirectory()) return [short, { ...shown, time: `${mtimeNs}` }]
    const isSparse = blocks * 512n + 4096n < size
    const sha256 = createHash('sha256')
      .update(readFileSync(path(name)))
      .digest('hex')
    return [short, { ...shown, time: `${mtimeNs}`, size: `${size}`, sha256, isSparse, first, isShared: nlink > 1n }]
  })
  const lists = attributes ? attributesOf(top) : new Map<string, string>()
  return new Map(found.map(([name, about]) => [name, { ...about, attributes: lists.get(name) ?? '' }]))
}

function attributesOf(top: string): ReadonlyMap<string, string> {
  const { stdout } = spawnSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', top], {
    maxBuffer: 1 << 28,
  })
  const blocks = stdout
    .toString('latin1')
    .split('\n\n')
    .filter((block) => block !== '')
  return new Map(
    blocks.map((block) => {
      const [first = '', ...lines] = block.split('\n')
      const name = first
        .slice('# file: '.length)
        .replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
      return [
        name.slice(top.length),
        lines
          .filter((line) => line !== '')
          .sort()
          .join('\n'),
      ]
    }),
  )
}
