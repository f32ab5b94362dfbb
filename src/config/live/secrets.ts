// Secrets in files of their own: long enough, and never shown.
import { good, problem, type LiveFinding } from './finding.ts'

// RFC 7518, 3.2: a key of at least the length of the hash, 256 bits, must be used with HS256.
const shortestKey = 32

/** How long a secret is without the newline that editors and `echo` put at the end of a file. */
export function lengthOfSecret(content: Buffer): number {
  if (content.at(-1) !== 0x0a) return content.length
  return content.at(-2) === 0x0d ? content.length - 2 : content.length - 1
}

export function judgeTokenKey(key: string, content: Buffer): LiveFinding {
  const length = lengthOfSecret(content)
  return length < shortestKey
    ? problem(key, `expected at least ${shortestKey} bytes (RFC 7518, 3.2); the file holds ${length}`)
    : good(key, `the key of tokens is long enough: ${length} bytes`)
}

export function judgePassword(key: string, content: Buffer): LiveFinding {
  return lengthOfSecret(content) === 0 ? problem(key, 'the file is empty') : good(key, 'the file holds a password')
}
