// From the words of a command to a wish for a host's settings; every word that does not fit is refused by name.
import { checkServerConfig } from '../../config/server-config.ts'
import { formatProblems, nearest, showValue } from '../../config/problems.ts'
import { NetopsError } from '../../model/errors.ts'
import { guideKernel, namesOf } from '../../model/tuning-profiles.ts'
import { kindOf, limitSettings, serverSettings, settingName, type TuningOptions } from '../../model/tuning.ts'

const knownNames = [...Object.keys(guideKernel), ...Object.keys(limitSettings), ...Object.keys(serverSettings)]

interface Given {
  readonly profile: TuningOptions['profile']
  readonly skip: readonly string[]
  readonly set: readonly string[]
}

/** @throws NetopsError `usage` naming each word that does not fit */
export function parseTuningOptions(given: Given): TuningOptions {
  const pairs = given.set.map(pairIn)
  const set = Object.fromEntries(pairs)
  const skip = given.skip.map((name) => known(name, '--skip'))
  const twice = pairs.map(([name]) => name).find((name, index, all) => all.indexOf(name) !== index)
  if (twice !== undefined) throw wrong(`--set: ${twice} is given twice`)
  const both = skip.find((name) => name in set)
  if (both !== undefined) throw wrong(`${both} is both skipped and set`)
  const names = namesOf(given.profile)
  const foreign = skip.find((name) => !names.includes(name))
  if (foreign !== undefined) {
    const meant = nearest(foreign, names)
    const hint = meant === undefined ? `it sets ${names.join(', ')}` : `did you mean ${meant}?`
    throw wrong(`--skip ${foreign}: the profile ${given.profile} does not set it`, hint)
  }
  return { profile: given.profile, skip, set }
}

function pairIn(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw wrong(`--set ${showValue(text)}: expected KEY=VALUE`)
  const name = known(text.slice(0, at).trim(), '--set')
  const value = text
    .slice(at + 1)
    .trim()
    .replaceAll(/[\t ]+/g, ' ')
  if (!/^[!-~]+(?: [!-~]+)*$/.test(value) || value.length > 500) {
    throw wrong(`--set ${name}: expected a value of visible characters, not ${showValue(value)}`)
  }
  if (kindOf(name) === 'limit' && !/^[1-9]\d{0,9}$/.test(value)) {
    throw wrong(`--set ${name}: expected a whole number of at least 1, not ${showValue(value)}`)
  }
  const variable = serverSettings[name]
  if (variable !== undefined) {
    const checked = checkServerConfig('', 'config.yaml', { env: { [variable]: value }, check: 'keys' })
    if ('problems' in checked) throw wrong(`--set ${formatProblems(checked.problems)}`)
  }
  return [name, value]
}

function known(given: string, option: string): string {
  if (kindOf(given) !== undefined) return settingName(given)
  const meant = nearest(given, knownNames) ?? knownNames.find((name) => name.endsWith(`.${given}`))
  throw wrong(
    `${option} ${showValue(given)}: expected a kernel parameter, nofile, nproc, or one of ${Object.keys(serverSettings).join(', ')}`,
    meant === undefined ? undefined : `did you mean ${meant}?`,
  )
}

const wrong = (message: string, hint = 'netops tune plan shows what a profile sets'): NetopsError =>
  new NetopsError('usage', { message, hint })
