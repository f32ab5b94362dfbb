// Reads what an ELF program asks for before it runs (elf(5)): its machine, its loader, its libraries and glibc's version.
import type { ProgramNeeds } from '../model/program-needs.ts'

/** Reads bytes of a file; fewer where it ends. */
export type BytesAt = (offset: number, length: number) => Promise<Buffer>

interface Fault {
  readonly fault: string
}

/** As `uname -m` names them. */
const machines: Readonly<Record<number, string>> = {
  3: 'i386',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
}

// ET_EXEC; ET_DYN is what may lie anywhere in memory.
const executables = [2, 3]
const segment = { load: 1, dynamic: 2, interpreter: 3 } as const
const entry = { needed: 1, strings: 5, rpath: 15, runpath: 29, stringsSize: 10, versions: 0x6ffffffe }

// What is larger was not made by a linker.
const mostBytes = 4 << 20

/** What a program needs, or why no host can execute it. */
export async function readElf(at: BytesAt, size: number): Promise<ProgramNeeds | Fault> {
  const header = await at(0, 64)
  if (header.length < 52) return cut(size, 64)
  const layout = layoutOf(header)
  if (layout === undefined) return { fault: 'its ELF header is damaged' }
  const { wide, u16, word } = layout
  if (!executables.includes(u16(header, 16))) return { fault: 'it is an ELF file, but no program: it was not linked' }
  const [offset, entrySize, count] = wide
    ? [word(header, 32), u16(header, 54), u16(header, 56)]
    : [word(header, 28), u16(header, 42), u16(header, 44)]
  const table = await at(offset, Math.min(entrySize * count, mostBytes))
  if (count === 0 || entrySize < (wide ? 56 : 32)) return { fault: 'its ELF header is damaged' }
  if (table.length < entrySize * count) return cut(size, offset + entrySize * count)
  const segments = Array.from({ length: count }, (_, index) =>
    segmentOf(layout, table.subarray(index * entrySize, (index + 1) * entrySize)),
  )
  const end = Math.max(...segments.filter(({ type }) => type === segment.load).map((one) => one.offset + one.size))
  if (end > size) return cut(size, end)

  const named = machines[u16(header, 18)] ?? `machine ${u16(header, 18)}`
  const machine = named === 'ppc64' && header[5] === 1 ? 'ppc64le' : named
  const loader = segments.find(({ type }) => type === segment.interpreter)
  if (loader === undefined) return { machine }
  const interpreter = textIn(await at(loader.offset, Math.min(loader.size, 4096)), 0)
  return { machine, interpreter, ...(await dynamicNeeds(at, layout, segments)) }
}

const cut = (size: number, end: number): Fault => ({
  fault: `it is cut off: ${size} bytes are there, and ${end} or more belong to it`,
})

interface Layout {
  readonly wide: boolean
  readonly u16: (bytes: Buffer, offset: number) => number
  readonly u32: (bytes: Buffer, offset: number) => number
  /** A word of the program's own width. */
  readonly word: (bytes: Buffer, offset: number) => number
}

function layoutOf(header: Buffer): Layout | undefined {
  const [width, order] = [header[4], header[5]]
  if ((width !== 1 && width !== 2) || (order !== 1 && order !== 2)) return undefined
  const [wide, little] = [width === 2, order === 1]
  const u16: Layout['u16'] = (bytes, offset) => (little ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset))
  const u32: Layout['u32'] = (bytes, offset) => (little ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset))
  const u64 = (bytes: Buffer, offset: number): number =>
    Number(little ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset))
  return { wide, u16, u32, word: wide ? u64 : u32 }
}

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly size: number
}

const segmentOf = ({ wide, u32, word }: Layout, bytes: Buffer): Segment => ({
  type: u32(bytes, 0),
  offset: word(bytes, wide ? 8 : 4),
  address: word(bytes, wide ? 16 : 8),
  size: word(bytes, wide ? 32 : 16),
})

/** What the loader is told. Where something is not as linkers make it, the loader itself will say so. */
async function dynamicNeeds(
  at: BytesAt,
  { wide, u16, u32, word }: Layout,
  segments: readonly Segment[],
): Promise<Pick<ProgramNeeds, 'libraries' | 'glibc'>> {
  const dynamic = segments.find(({ type }) => type === segment.dynamic)
  if (dynamic === undefined || dynamic.size > mostBytes) return {}
  const table = await at(dynamic.offset, dynamic.size)
  const step = wide ? 16 : 8
  const entries: { readonly tag: number; readonly value: number }[] = []
  for (let place = 0; place + step <= table.length; place += step) {
    const [tag, value] = [word(table, place), word(table, place + step / 2)]
    if (tag === 0) break
    entries.push({ tag, value })
  }
  const valueOf = (tag: number): number | undefined => entries.find((one) => one.tag === tag)?.value
  // Addresses in memory, as offsets in the file.
  const place = (address: number | undefined): number | undefined => {
    const within = segments.find(
      (one) =>
        address !== undefined &&
        one.type === segment.load &&
        address >= one.address &&
        address < one.address + one.size,
    )
    return within === undefined || address === undefined ? undefined : address - within.address + within.offset
  }
  const [strings, length = 0] = [place(valueOf(entry.strings)), valueOf(entry.stringsSize)]
  if (strings === undefined || length > mostBytes) return {}
  const names = await at(strings, length)
  const needed = entries.filter(({ tag }) => tag === entry.needed).map(({ value }) => textIn(names, value))
  // With folders of its own the program knows better than its host where they are.
  const own = valueOf(entry.rpath) !== undefined || valueOf(entry.runpath) !== undefined
  const libraries = own ? [] : needed.filter((name) => name !== '' && !name.includes('/'))

  const first = place(valueOf(entry.versions))
  const versions = first === undefined ? [] : await versionNames(at, first, { u16, u32 })
  const glibc = versions
    .flatMap((name) => /^GLIBC_(\d+(?:\.\d+)+)$/.exec(textIn(names, name))?.[1] ?? [])
    .reduce<string | undefined>(newerOf, undefined)
  return { libraries, ...(glibc === undefined ? {} : { glibc }) }
}

// A linker writes some dozens.
const mostVersions = 10_000

/** Where the names stand of the versions that are asked for, library by library (Elf64_Verneed, Elf64_Vernaux). */
async function versionNames(
  at: BytesAt,
  first: number,
  { u16, u32 }: Pick<Layout, 'u16' | 'u32'>,
): Promise<readonly number[]> {
  const names: number[] = []
  for (let [from, next] = [first, -1]; next !== 0 && names.length < mostVersions; from += next) {
    const library = await at(from, 16)
    if (library.length < 16) break
    let aux = from + u32(library, 8)
    for (let left = u16(library, 2); left > 0 && names.length < mostVersions; left -= 1) {
      const version = await at(aux, 16)
      if (version.length < 16) break
      names.push(u32(version, 8))
      aux += u32(version, 12)
    }
    next = u32(library, 12)
    // One without versions would not count towards the bound.
    if (u16(library, 2) === 0) break
  }
  return names
}

function newerOf(one: string | undefined, other: string): string {
  if (one === undefined) return other
  return one.localeCompare(other, 'en', { numeric: true }) < 0 ? other : one
}

/** The text that a zero byte ends. */
function textIn(bytes: Buffer, offset: number): string {
  const end = bytes.indexOf(0, offset)
  return offset >= bytes.length ? '' : bytes.toString('utf8', offset, end < 0 ? bytes.length : end)
}
