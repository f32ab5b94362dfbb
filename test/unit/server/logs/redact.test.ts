import { describe, expect, it } from 'vitest'
import { accessLine, accessTail } from '../../../../src/server/logs/access.ts'
import { createLogger } from '../../../../src/server/logs/logger.ts'
import { safeText, safeValue } from '../../../../src/server/logs/redact.ts'

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ'

const logged = (fields: object, message = 'm'): string => {
  let text = ''
  createLogger({ release: 'r1', lowest: () => 0, write: (_level, line) => (text += line) }).info(fields, message)
  return text
}

describe('a line of the log', () => {
  it.each([
    [`token ${jwt} is bad`, 'token [redacted] is bad'],
    ['Authorization: Bearer abc.def', 'Authorization: Bearer [redacted]'],
    ['basic dXNlcjpwYXNz', 'basic [redacted]'],
    ['GET /v1/x?key=1&sig=2 failed', 'GET /v1/x?[redacted] failed'],
    ['postgres://net:pw@db1/network', 'postgres://[redacted]@db1/network'],
    ['password=hunter2 user=net', 'password=[redacted] user=net'],
    ['{"client_secret": "a\\"b", "n": 1}', '{"client_secret": "[redacted]", "n": 1}'],
    ['not in effect: database.password: no pool', 'not in effect: database.password: no pool'],
    ['what? nothing', 'what? nothing'],
  ])('%j is written as %j', (text, expected) => {
    expect(safeText(text)).toBe(expected)
  })

  it('has no value under a telling name, however deep', () => {
    const fields = { headers: { Authorization: 'x', 'set-cookie': ['y'] }, jwt_secret: 'z', list: [{ apiKey: 'w' }] }
    expect(safeValue(fields)).toEqual({
      headers: { Authorization: '[redacted]', 'set-cookie': '[redacted]' },
      ...{ jwt_secret: '[redacted]', list: [{ apiKey: '[redacted]' }] },
    })
  })

  it('has errors with their stack and cause, without tokens', () => {
    const error = new Error(`bad ${jwt}`, { cause: new Error('password=x') })
    const line = JSON.parse(logged({ err: error })) as { err: { stack: string; message: string } }
    expect(line).toMatchObject({
      err: { type: 'Error', message: 'bad [redacted]', cause: { message: 'password=[redacted]' } },
    })
    expect(line.err.stack).toContain('redact.test.ts')
    expect(JSON.stringify(line)).not.toContain('eyJ')
  })

  it('is one line of JSON whatever it is given', () => {
    const circle: Record<string, unknown> = { big: 1n, f: () => 1, when: new Date(NaN), bytes: Buffer.from('abc') }
    circle.self = circle
    const throws = {
      get x(): string {
        throw new Error('no')
      },
    }
    for (const fields of [
      circle,
      throws,
      { msg: 'no', level: 'no', time: 'no', release: 'no' },
      { __proto__: null, a: 1 },
    ]) {
      const text = logged(fields, 'two\nlines\u2028')
      expect(text.indexOf('\n')).toBe(text.length - 1)
      expect(JSON.parse(text)).toMatchObject({ level: 'INFO', release: 'r1', msg: 'two\nlines\u2028' })
    }
  })

  it('takes time in proportion to its length', () => {
    for (const part of [
      'eyJ',
      'eyJ-',
      '.eyJ',
      '/',
      '?',
      '?=',
      '://',
      '"a":"',
      '"',
      'a=',
      'bearer ',
      ' ',
      '\\"',
      'token',
    ]) {
      const began = performance.now()
      safeText(part.repeat(16_384 / part.length))
      expect(performance.now() - began).toBeLessThan(2000)
    }
  })
})

describe('a line of the access log', () => {
  const entry = {
    requestId: 'a',
    client: '::1',
    method: 'GET',
    status: null,
    bytes: 0,
    durationMs: 0.12345,
    aborted: true,
  }

  it('has no token in its path, and no more than 2 KB of it', () => {
    const text = accessLine({ ...entry, url: `/x/${jwt}?token=${jwt}` }, accessTail('r1'))
    expect(JSON.parse(text)).toMatchObject({ path: '/x/[redacted]', status: null, aborted: true, duration_ms: 0.123 })
    expect(accessLine({ ...entry, url: `/${'x'.repeat(100_000)}` }, accessTail('r1')).length).toBeLessThan(2500)
  })

  it('is one line of JSON whatever a client asks for', () => {
    const text = accessLine({ ...entry, method: 'A"B', url: '/"\\\n\u0000' }, accessTail('r"1', 2))
    expect(text.indexOf('\n')).toBe(text.length - 1)
    expect(JSON.parse(text)).toMatchObject({ method: 'A"B', path: '/"\\\n\u0000', release: 'r"1', thread: 2 })
  })
})
