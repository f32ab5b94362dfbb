// Certificates and keys for tests, made by openssl as an operator would.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Made {
  readonly cert: string
  readonly key: string
}

const openssl = (args: readonly string[], cwd: string): void => {
  execFileSync('openssl', args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** A certificate that signs itself, with its key, as files `NAME.pem` and `NAME.key` of a folder; returns their texts. */
export function makeCertificate(folder: string, name: string, more: readonly string[] = ['-nodes']): Made {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', `/CN=${name}`]
  openssl(['req', '-x509', ...kind, ...files, '-days', '365', ...more], folder)
  return read(folder, name)
}

/** A certificate that another one of the folder issued. */
export function issueCertificate(folder: string, name: string, issuer: string): Made {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', `/CN=${name}`]
  openssl(['req', ...kind, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`], folder)
  const by = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial']
  openssl(['x509', '-req', '-in', `${name}.csr`, ...by, '-days', '90', '-out', `${name}.pem`], folder)
  return read(folder, name)
}

const read = (folder: string, name: string): Made => ({
  cert: readFileSync(join(folder, `${name}.pem`), 'utf8'),
  key: readFileSync(join(folder, `${name}.key`), 'utf8'),
})
