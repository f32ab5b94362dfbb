// The certificate that TLS is served with: can it be read, does the key belong to it, how long is it good, is its chain whole?
import type { X509Certificate } from 'node:crypto'
import {
  contextFault,
  dayOf,
  daysLeft,
  fewDays,
  keyFault,
  readChain,
  readKey,
  validityFault,
  type Chain,
  type Fault,
  type PrivateKey,
  type Validity,
} from '../credentials.ts'
import { good, problem, warning, type LiveFinding } from './finding.ts'

const certKey = 'security.cert_file'
const keyKey = 'security.key_file'

/** Everything there is to say of a certificate with its key, both as they stand in their files. */
export function judgePair(certificates: Buffer, key: Buffer, now: Date): readonly LiveFinding[] {
  const chain = readChain(certificates)
  const privateKey = readKey(key)
  return [
    ...('reason' in chain ? [faulty(certKey, chain)] : judgeChain(chain.value.certificates, now)),
    ...('reason' in privateKey ? [faulty(keyKey, privateKey)] : []),
    ...('value' in chain && 'value' in privateKey ? [judgeMatch(chain.value, privateKey.value)] : []),
  ]
}

/** What the service would refuse to start with, in the same words. */
export const faulty = (key: string, { reason, hint }: Fault): LiveFinding =>
  problem(key, hint === undefined ? reason : `${reason}; ${hint}`)

type Certificates = Chain['certificates']

function judgeChain(chain: Certificates, now: Date): readonly LiveFinding[] {
  const [own, ...others] = chain
  const later = others.map((certificate) => ({ certificate, verdict: judgeValidity(certificate, now) }))
  const broken = brokenLink(chain)
  return [
    judgeValidity(own, now),
    // The service starts with these, but those who connect may not trust it.
    ...later
      .filter(({ verdict }) => verdict.kind !== 'good')
      .map(({ certificate, verdict }) => warning(certKey, `in its chain, ${nameOf(certificate)} ${verdict.message}`)),
    ...(broken === undefined ? [] : [warning(certKey, broken)]),
  ]
}

/** Whether a certificate is good now, and for how long. */
export function judgeValidity(certificate: Validity, now: Date): LiveFinding {
  const fault = validityFault(certificate, now)
  if (fault !== undefined) return faulty(certKey, fault)
  const days = daysLeft(certificate, now)
  const text = `expires in ${days} ${days === 1 ? 'day' : 'days'} (${dayOf(certificate.validToDate)})`
  return days < fewDays ? warning(certKey, text) : good(certKey, text)
}

/** Which certificate does not follow the one that it issued, if any: clients check the chain in the order of the file. */
export function brokenLink(chain: Certificates): string | undefined {
  const at = chain.findIndex((certificate, index) => {
    const next = chain[index + 1]
    return next !== undefined && !(certificate.checkIssued(next) && certificate.verify(next.publicKey))
  })
  const [certificate, next] = [chain[at], chain[at + 1]]
  if (certificate === undefined || next === undefined) return undefined
  const order = 'expected the certificate of the service first, then each that issued the one before'
  return `${nameOf(next)} follows ${nameOf(certificate)} and did not issue it: ${order}`
}

/** The common name, or all of the subject, on one line. */
const nameOf = ({ subject }: X509Certificate): string =>
  JSON.stringify(/^CN=(.*)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', '))

/** What the service itself does with both, which also refuses keys that are too short. */
function judgeMatch({ pem, certificates }: Chain, { pem: key, key: parsed }: PrivateKey): LiveFinding {
  const mismatch = keyFault(certificates, parsed, certKey)
  if (mismatch !== undefined) return faulty(keyKey, mismatch)
  const refusal = contextFault({ cert: pem, key })
  return refusal === undefined ? good(keyKey, `is the key of ${certKey}`) : faulty(certKey, refusal)
}
