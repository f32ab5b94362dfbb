// netops: finds the command, runs it, prints its result and exits. The only place that does.
import { buildInfo } from '../system/build-info.ts'

// Whatever is made gets its mode in so many words; what a library or a command makes beside that is nobody else's to write to.
const umask = process.umask(0o022)
if ((umask | 0o022) !== 0o022) process.umask(umask | 0o022)

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  void printVersion()
} else {
  void import('./run-cli.ts').then(({ runCli }) => runCli(argv))
}

/** Without what parses and performs commands: others ask for the version all the time. */
async function printVersion(): Promise<void> {
  const { standardOutput } = await import('./terminal/output.ts')
  const output = standardOutput()
  await output.write(`netops ${buildInfo.version} (${buildInfo.commit})\n`)
  const fault = await output.delivered()
  if (fault === undefined) return
  process.stderr.write(`netops: the output could not be written whole: ${fault.message}\n`)
  process.exitCode = 1
}
