// The account that this process runs as. Nobody has to give a user a name or a home: containers often run as a bare number.
import { homedir, userInfo } from 'node:os'

/** Its name, or what to call it without one. */
export function accountName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}

// Debian's word for the home of accounts that have none (Debian Policy, 9.2.3): nothing is there, and nothing can be made.
const noHome = '/nonexistent'

/** Its home folder: HOME, else what passwd(5) says, else a folder that is not there. */
export function homeFolder(): string {
  try {
    return homedir()
  } catch {
    return noHome
  }
}

export const hasHome = (): boolean => homeFolder() !== noHome
