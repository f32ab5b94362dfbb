// netops: finds the command, runs it, prints its result and exits. The only place that does.
import { buildInfo } from '../system/build-info.ts'

const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`netops ${buildInfo.version} (${buildInfo.commit})\n`)
} else {
  void import('./run-cli.ts').then(({ runCli }) => runCli(argv))
}
