// The certificate that TLS is served with: can it be read, does the key belong to it, how long is it good, is its chain whole?
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../../model/errors.ts'
import { good, problem, warning, type LiveFinding } from './finding.ts'

const certKey = 'security.cert_file'
const keyKey = 'security.key_file'

const dayMs = 86_400_000
// Let's Encrypt renews at 30 of 90 days: below that, a renewal has not happened.
const fewDays = 30

/** Everything there is to say of a certificate with its key, both as PEM. */
export function judgePair(certificates: string, key: string, now: Date): readonly LiveFinding[] {
  const chain = readChain(certificates)
  const privateKey = readKey(key)
  return [
    ...('finding' in chain ? [chain.finding] : judgeChain(chain.chain, now)),
    ...('finding' in privateKey ? [privateKey.finding] : []),
    ...('chain' in chain && 'key' in privateKey ? judgeMatch(chain.chain, privateKey.key, { certificates, key }) : []),
  ]
}

export type Chain = readonly [X509Certificate, ...X509Certificate[]]

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

export function readChain(text: string): { readonly chain: Chain } | { readonly finding: LiveFinding } {
  try {
    const [first, ...others] = [...text.matchAll(pemCertificate)].map(([pem]) => new X509Certificate(pem))
    if (first !== undefined) return { chain: [first, ...others] }
    return { finding: problem(certKey, 'the file holds no certificate in PEM form') }
  } catch (error) {
    return { finding: problem(certKey, `the file holds a certificate that cannot be read: ${messageOf(error)}`) }
  }
}

// RFC 7468, 11, and the older form of RFC 1421, 4.6.1.1.
const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

function readKey(text: string): { readonly key: KeyObject } | { readonly finding: LiveFinding } {
  if (encrypted.test(text)) {
    const remedy = 'openssl pkey -in FILE -out NEW takes the passphrase off'
    return { finding: problem(keyKey, `the key is encrypted, and the service knows no passphrase: ${remedy}`) }
  }
  try {
    return { key: createPrivateKey(text) }
  } catch (error) {
    return { finding: problem(keyKey, `the file holds no private key in PEM form: ${messageOf(error)}`) }
  }
}

function judgeChain(chain: Chain, now: Date): readonly LiveFinding[] {
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
export function judgeValidity(
  { validFromDate: from, validToDate: to }: Pick<X509Certificate, 'validFromDate' | 'validToDate'>,
  now: Date,
): LiveFinding {
  if (now < from) return problem(certKey, `is not valid before ${day(from)}`)
  if (now > to) return problem(certKey, `expired on ${day(to)}`)
  const days = Math.floor((to.getTime() - now.getTime()) / dayMs)
  const text = `expires in ${days} ${days === 1 ? 'day' : 'days'} (${day(to)})`
  return days < fewDays ? warning(certKey, text) : good(certKey, text)
}

const day = (date: Date): string => date.toISOString().slice(0, 10)

/** Which certificate does not follow the one that it issued, if any: clients check the chain in the order of the file. */
export function brokenLink(chain: Chain): string | undefined {
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

interface Texts {
  readonly certificates: string
  readonly key: string
}

function judgeMatch([own]: Chain, privateKey: KeyObject, { certificates, key }: Texts): readonly LiveFinding[] {
  if (!own.checkPrivateKey(privateKey)) return [problem(keyKey, `is not the key of ${certKey}`)]
  try {
    // What the service itself does with both, which also refuses keys that are too short.
    createSecureContext({ cert: certificates, key })
  } catch (error) {
    return [problem(certKey, `cannot be used for TLS: ${messageOf(error)}`)]
  }
  return [good(keyKey, `is the key of ${certKey}`)]
}
