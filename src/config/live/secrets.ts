// Secrets in files of their own: long enough, and never shown.
import { readSecret, withoutNewline } from '../credentials.ts'
import { faulty } from './certificate.ts'
import { good, problem, type LiveFinding } from './finding.ts'

export function judgeTokenKey(key: string, content: Buffer): LiveFinding {
  const found = readSecret(content)
  return 'reason' in found
    ? faulty(key, found)
    : good(key, `the key of tokens is long enough: ${found.value.length} bytes`)
}

export function judgePassword(key: string, content: Buffer): LiveFinding {
  return withoutNewline(content).length === 0
    ? problem(key, 'the file is empty')
    : good(key, 'the file holds a password')
}
