// The files of templates/: from inside the single executable, or from the checkout.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getAsset, isSea } from 'node:sea'

/**
 * The text of one file of templates/.
 * @param name its path below templates/, with forward slashes: `systemd/network_service.service`
 * @throws Error when there is no such template, which is a defect of netops
 */
export function readTemplate(name: string): string {
  const key = `templates/${name}`
  return isSea() ? getAsset(key, 'utf8') : readFileSync(join(import.meta.dirname, '..', '..', key), 'utf8')
}
