import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readYaml, type Path, type YamlDocument } from '../../../src/config/yaml.ts'
import { samples } from '../../support/samples.ts'

const documentOf = (text: string): YamlDocument => {
  const read = readYaml(text)
  if ('message' in read) throw new Error(`${read.place.line}:${read.place.column} ${read.message}`)
  return read.document
}
const at = (text: string, path: Path): string => {
  const { line, column } = documentOf(text).placeOfValue(path)
  return `${line}:${column}`
}
const keyAt = (text: string, path: Path): string => {
  const { line, column } = documentOf(text).placeOfKey(path)
  return `${line}:${column}`
}

describe('places', () => {
  const text = [
    'server:', // 1
    '  port: 8080', // 2
    '  "host": a', // 3
    'list:', // 4
    '  - one', // 5
    '  - { k: v, l: [1, 22] }', // 6
    'empty:', // 7
    '10: ten', // 8
    '? long', // 9
    ': value', // 10
    'text: |', // 11
    '  block', // 12
    'base: &b { x: 1 }', // 13
    'use: *b', // 14
    '2: two', // 15
  ].join('\n')

  it.each<[Path, string, string]>([
    [[], '1:1', '1:1'],
    [['server'], '2:3', '1:1'],
    [['server', 'port'], '2:9', '2:3'],
    [['server', 'host'], '3:11', '3:3'],
    [['list', 0], '5:5', '5:5'],
    [['list', 1], '6:5', '6:5'],
    [['list', 1, 'k'], '6:10', '6:7'],
    [['list', 1, 'l', 1], '6:20', '6:20'],
    [['empty'], '7:1', '7:1'],
    [['10'], '8:5', '8:1'],
    [['long'], '10:3', '9:3'],
    [['text'], '12:1', '11:1'],
    [['base', 'x'], '13:15', '13:12'],
    [['use'], '14:6', '14:1'],
    [['use', 'x'], '13:15', '13:12'],
    [['2'], '15:4', '15:1'],
    [['server', 'missing', 'deeper'], '2:3', '1:1'],
  ])('of %j are %s and for its key %s', (path, value, key) => {
    expect([at(text, path), keyAt(text, path)]).toEqual([value, key])
  })

  it('count lines the same whatever ends them, and a byte order mark as nothing', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      expect(at(['\uFEFFa: 1', 'b:', '  c: 2'].join(end), ['b', 'c'])).toBe('3:6')
    }
  })
})

describe('limits', () => {
  const refusal = (text: string): string => {
    const read = readYaml(text)
    return 'message' in read ? `${read.place.line}:${read.place.column} ${read.message}` : 'accepted'
  }

  it('refuse aliases that unfold to more than the text is worth', () => {
    const levels = Array.from({ length: 9 }, (_, index) => {
      const inside =
        index === 0 ? Array.from({ length: 9 }, () => 'lol') : Array.from({ length: 9 }, () => `*a${index - 1}`)
      return `a${index}: &a${index} [${inside.join(', ')}]`
    })
    const started = performance.now()
    expect(refusal(levels.join('\n'))).toMatch(/^\d+:\d+ not valid YAML: more than 200000 values, aliases unfolded$/)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it('refuse nesting by brackets and by aliases', () => {
    expect(refusal('['.repeat(60) + ']'.repeat(60))).toContain('nested deeper than 50 levels')
    const chain = Array.from(
      { length: 60 },
      (_, index) => `a${index}: &a${index} [${index === 0 ? '1' : `*a${index - 1}`}]`,
    )
    expect(refusal(chain.join('\n'))).toContain('nested deeper than 50 levels')
  })

  it('refuse a text of more than a megabyte without reading it', () => {
    expect(refusal(`a: ${'x'.repeat(2 ** 20)}`)).toBe('1:1 not valid YAML: longer than 1048576 characters')
  })

  it('allow an alias to be used often', () => {
    expect(refusal(`base: &b { x: 1 }\nuses: [${Array.from({ length: 1000 }, () => '*b').join(', ')}]`)).toBe(
      'accepted',
    )
  })

  it('find where a second document begins', () => {
    expect(refusal('a: |\n  text\n---\nb: 1\n')).toBe(
      '3:1 not valid YAML: a second document begins here; expected only one',
    )
    expect(refusal('a: 1\n...\nb: 1\n')).toContain('3:1 ')
  })
})

describe('any text at all', () => {
  const token = fc.constantFrom(
    ...[
      'a',
      'b: ',
      ': ',
      '- ',
      '? ',
      '\n',
      '\n  ',
      '\n    ',
      '\t',
      ' ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '&x ',
      '*x',
      '!!str ',
      '! ',
    ],
    ...[
      '|\n',
      '>-\n',
      '"',
      "'",
      '#',
      '---\n',
      '...\n',
      '%YAML 1.2\n',
      '<<: ',
      '\\',
      '\0',
      '\r',
      '\uFEFF',
      '😀',
      '\uD800',
      '1',
      '~',
    ],
    ...['server:\n  port: ', 'logging: {outputs: ['],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(token, { maxLength: 60 }).map((tokens) => tokens.join('')),
  )

  it('is read or refused in time, with a place inside of it', () => {
    fc.assert(
      fc.property(text, (input) => {
        const started = performance.now()
        const read = readYaml(input)
        expect(performance.now() - started).toBeLessThan(500)
        const lines = input.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
        const place = 'message' in read ? read.place : read.document.placeOfValue([])
        expect(place.line).toBeGreaterThanOrEqual(1)
        expect(place.line).toBeLessThanOrEqual(lines.length)
        expect(place.column).toBeGreaterThanOrEqual(1)
        expect(place.column).toBeLessThanOrEqual((lines[place.line - 1] ?? '').length + 2)
      }),
      samples(5000),
    )
  })

  it('has each value found again at its place', () => {
    const word = fc.stringMatching(/^[a-z]{1,6}$/)
    const { tree } = fc.letrec<{ tree: unknown; leaf: string }>((tie) => ({
      leaf: word.map((name) => `v${name}`),
      tree: fc.oneof(
        { maxDepth: 4 },
        tie('leaf'),
        fc.dictionary(word, tie('tree'), { minKeys: 1, maxKeys: 4 }),
        fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
      ),
    }))
    fc.assert(
      fc.property(tree, (value) => {
        // JSON is YAML.
        const source = JSON.stringify(value, null, 1)
        const document = documentOf(source)
        const lines = source.split('\n')
        expect(document.value).toEqual(value)
        for (const [path, leaf] of leaves(value, [])) {
          const { line, column } = document.placeOfValue(path)
          expect(lines[line - 1]?.slice(column - 1)).toMatch(new RegExp(`^"${leaf}"`))
        }
      }),
      samples(1000),
    )
  })
})

function leaves(value: unknown, path: Path): [Path, string][] {
  if (typeof value === 'string') return [[path, value]]
  if (Array.isArray(value)) return value.flatMap((item, index) => leaves(item, [...path, index]))
  return Object.entries(value as object).flatMap(([key, item]) => leaves(item, [...path, key]))
}
