// JSON web tokens of tests, made by hand: also those that no library would make.
import { createHmac } from 'node:crypto'

export interface TokenParts {
  readonly header?: Readonly<Record<string, unknown>>
  readonly claims?: Readonly<Record<string, unknown>>
  readonly key: string
}

/** Good for an hour for `network_system`, but for what is given. A claim that is undefined is left out. */
export function makeToken({ header = {}, claims = {}, key }: TokenParts): string {
  const hour = Math.floor(Date.now() / 1000) + 3600
  const words = [
    { alg: 'HS256', typ: 'JWT', ...header },
    { iss: 'network_system', exp: hour, ...claims },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const signed = words.join('.')
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}
