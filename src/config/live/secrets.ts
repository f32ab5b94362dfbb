// Secrets in files of their own: long enough, and never shown. And whom the service trusts.
import { readChain, readSecret, withoutNewline } from '../credentials.ts'
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

export function judgeAuthorities(key: string, content: Buffer): LiveFinding {
  const found = readChain(content)
  if ('reason' in found) return faulty(key, found)
  const { length } = found.value.certificates
  return good(key, `the file holds ${length === 1 ? 'a certificate' : `${length} certificates`}`)
}
