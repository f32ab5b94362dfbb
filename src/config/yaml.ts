// YAML text to a value, with the line and column of every key and value. Bounded: hostile text costs little more than its length.
import {
  CORE_SCHEMA,
  EVENT_ID,
  SCALAR_STYLE,
  YAMLException,
  constructFromEvents,
  parseEvents,
  realMapTag,
} from 'js-yaml'
import type { Event } from 'js-yaml'
import type { Path } from '../model/rules.ts'
import { visible } from './problems.ts'

export type { Path }

/** Both count from 1; columns count UTF-16 units, as compilers and most editors do. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface YamlDocument {
  /** Mappings are plain objects; `undefined` for a text without content. */
  readonly value: unknown
  /** Where a value begins; its key for an empty value; the nearest part that is there for a path that is not. */
  readonly placeOfValue: (path: Path) => Place
  /** Where the key of a value begins; for a list's item, the item. */
  readonly placeOfKey: (path: Path) => Place
  /** Plain numbers with a zero before other digits: decimal in YAML 1.2, octal in 1.1. */
  readonly octals: () => readonly { readonly path: Path; readonly text: string }[]
}

export type YamlResult = { readonly document: YamlDocument } | { readonly place: Place; readonly message: string }

// A configuration has a few KB; a fleet file of 5,000 hosts stays below 1 MB.
const longestText = 2 ** 20
const deepestNesting = 50
// A node used by an alias counts again at each place of use: this is what keeps a small text from unfolding into gigabytes.
const mostNodes = 200_000

/**
 * Reads one YAML 1.2 document. Duplicate keys, tabs as indentation, several documents, aliases to themselves and text
 * beyond the limits are refused like a syntax error, with the place and the reason. Never throws.
 */
export function readYaml(input: string): YamlResult {
  const text = input.startsWith('\uFEFF') ? input.slice(1) : input
  try {
    return { document: readDocument(text) }
  } catch (error) {
    return { place: placer(text)(offsetOf(error)), message: reasonOf(error) }
  }
}

function readDocument(text: string): YamlDocument {
  if (text.length > longestText) throw new Refusal(0, `longer than ${longestText} characters`)
  const events = parseEvents(text, { maxDepth: deepestNesting })
  refuseSecondDocument(text, events)
  const [value] = constructFromEvents(events, { source: text })
  // The same once more with maps, because they keep their keys in the order of the events.
  const [ordered] = constructFromEvents(events, { source: text, schema: CORE_SCHEMA.withTags(realMapTag) })
  const root = buildTree(text, events, ordered)
  const placeAt = placer(text)
  return {
    value: value ?? undefined,
    placeOfValue: (path) => placeAt(locate(root, path).start),
    placeOfKey: (path) => placeAt(locate(root, path).key),
    octals: () => octalsIn(root.node, []),
  }
}

class Refusal extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

const offsetOf = (error: unknown): number => {
  if (error instanceof Refusal) return error.offset
  return error instanceof YAMLException ? (error.mark?.position ?? 0) : 0
}

// Reasons that quote the text are told without it: it may be a secret, and the place tells where to look.
const plainer: readonly (readonly [reason: RegExp, words: string])[] = [
  [/^duplicated mapping key$/, 'duplicate key: it is already set above'],
  [/^object-based map does not support complex keys$/, 'a key must be a single word or text'],
  [/^nesting exceeded maxDepth/, `nested deeper than ${deepestNesting} levels`],
  [/^unidentified alias/, 'an alias of nothing above; text that begins with * must stand in quotes'],
  [/^recursive alias/, 'an alias stands inside of what it refers to'],
  [
    /^(?:unknown \w+ tag|cannot resolve a node)/,
    'a tag that is not known; text that begins with ! must stand in quotes',
  ],
  [/\b(?:tag name|tag handle)\b/, 'a tag that cannot be read; text that begins with ! must stand in quotes'],
]

const reasonOf = (error: unknown): string => {
  if (error instanceof Refusal) return `not valid YAML: ${error.message}`
  const reason = error instanceof YAMLException ? error.reason : 'it cannot be read'
  const words = plainer.find(([pattern]) => pattern.test(reason))?.[1]
  return `not valid YAML: ${words ?? visible(reason.replace(/".*"|!?<.*>/s, '...'))}`
}

function refuseSecondDocument(text: string, events: readonly Event[]): void {
  const second = events.flatMap((event, index) => (event.type === EVENT_ID.DOCUMENT ? [index] : []))[1]
  if (second === undefined) return
  const explicit = events
    .slice(0, second + 1)
    .filter((event) => event.type === EVENT_ID.DOCUMENT && event.explicitStart)
  // At the beginning of a line `---` is always a document's start, even inside a text.
  const markers = [...text.matchAll(/^---(?=\s|$)/gm)]
  const content = events.slice(second + 1).find((event) => startOf(event) >= 0)
  const offset = markers[explicit.length - 1]?.index ?? (content === undefined ? text.length : startOf(content))
  throw new Refusal(offset, 'a second document begins here; expected only one')
}

/** Where a node begins in the text, or -1 for an empty one and for the end of a collection. */
const startOf = (event: Event): number => {
  switch (event.type) {
    case EVENT_ID.SCALAR: {
      const quoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED
      return quoted ? event.valueStart - 1 : event.valueStart
    }
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      return event.start
    case EVENT_ID.ALIAS:
      return event.anchorStart - 1
    default:
      return -1
  }
}

/** A node of the document; an alias shares the node of its anchor. */
interface Node {
  readonly children: Map<string | number, Entry>
  /** How many nodes it unfolds to, itself included. */
  size: number
  depth: number
  /** The text of a plain number with a zero in front, and whether there is one below. */
  octal?: string
  hasOctal?: boolean
}

interface Entry {
  readonly key: number
  readonly start: number
  readonly node: Node
}

interface Frame {
  readonly node: Node
  readonly start: number
  /** The names of the children in order: keys of a mapping, or undefined for a list. */
  readonly keys: Iterator<unknown, undefined> | undefined
  readonly ordered: unknown
  /** Where the key of the next value begins, once it was read. */
  key: number | undefined
}

const leaf = (): Node => ({ children: new Map(), size: 1, depth: 1 })

/** The places of all nodes, from the events and the same document as maps and lists. */
function buildTree(text: string, events: readonly Event[], ordered: unknown): Entry {
  const anchors = new Map<string, Node>()
  const frames: Frame[] = []
  const open = new Set<Node>()
  let root: Entry = { key: 0, start: 0, node: leaf() }

  // Puts a node into the collection that is being read and returns what it stands for; undefined where it is a key.
  const add = (start: number, node: Node): { value: unknown } | undefined => {
    const frame = frames.at(-1)
    if (frame === undefined) {
      root = { key: Math.max(start, 0), start: Math.max(start, 0), node }
      return { value: ordered }
    }
    if (frame.keys !== undefined && frame.key === undefined) {
      frame.key = Math.max(start, 0)
      return undefined
    }
    const name = frame.keys === undefined ? frame.node.children.size : frame.keys.next().value
    const key = frame.key ?? Math.max(start, 0)
    frame.key = undefined
    frame.node.children.set(typeof name === 'number' && frame.keys === undefined ? name : String(name), {
      key,
      start: start < 0 ? key : start,
      node,
    })
    return {
      value: frame.ordered instanceof Map ? frame.ordered.get(name) : (frame.ordered as unknown[])[Number(name)],
    }
  }

  const grow = (offset: number, child: Node): void => {
    const parent = frames.at(-1)?.node
    if (parent === undefined) return
    parent.size += child.size
    parent.depth = Math.max(parent.depth, child.depth + 1)
    if (child.hasOctal === true) parent.hasOctal = true
    if (parent.size > mostNodes) throw new Refusal(offset, `more than ${mostNodes} values, aliases unfolded`)
    if (parent.depth > deepestNesting) throw new Refusal(offset, `nested deeper than ${deepestNesting} levels`)
  }

  for (const event of events) {
    const start = startOf(event)
    if (event.type === EVENT_ID.POP) {
      const ended = frames.pop()
      if (ended === undefined) continue
      open.delete(ended.node)
      grow(ended.start, ended.node)
    } else if (event.type === EVENT_ID.ALIAS) {
      const node = anchors.get(text.slice(event.anchorStart, event.anchorEnd)) ?? leaf()
      if (open.has(node)) throw new Refusal(start, 'an alias stands inside of what it refers to')
      add(start, node)
      grow(start, node)
    } else if (event.type !== EVENT_ID.DOCUMENT) {
      const node = leaf()
      if (event.anchorStart >= 0) anchors.set(text.slice(event.anchorStart, event.anchorEnd), node)
      const added = add(start, node)
      if (event.type === EVENT_ID.SCALAR) {
        markOctal(node, text, event)
        grow(start, node)
      } else {
        const keys = added?.value instanceof Map ? added.value.keys() : undefined
        frames.push({ node, start, keys, ordered: added?.value, key: undefined })
        open.add(node)
      }
    }
  }
  return root
}

type Scalar = Extract<Event, { type: typeof EVENT_ID.SCALAR }>

function markOctal(node: Node, text: string, { style, valueStart, valueEnd }: Scalar): void {
  if (style !== SCALAR_STYLE.PLAIN || valueStart < 0 || valueEnd - valueStart > 40) return
  const plain = text.slice(valueStart, valueEnd)
  if (!/^[-+]?0[0-9]+$/.test(plain)) return
  node.octal = plain
  node.hasOctal = true
}

const octalsIn = (node: Node, path: Path): readonly { path: Path; text: string }[] => {
  if (node.hasOctal !== true) return []
  const own = node.octal === undefined ? [] : [{ path, text: node.octal }]
  return [...own, ...[...node.children].flatMap(([name, entry]) => octalsIn(entry.node, [...path, name]))]
}

const locate = (root: Entry, path: Path): Entry => {
  let entry = root
  for (const name of path) {
    const next = entry.node.children.get(name) ?? entry.node.children.get(String(name))
    if (next === undefined) break
    entry = next
  }
  return entry
}

/** Offsets to lines and columns. */
function placer(text: string): (offset: number) => Place {
  const starts = [0]
  for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length)
  return (offset) => {
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}
