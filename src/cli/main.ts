#!/usr/bin/env node
/** The `osler` command line: one file per command in this folder. */
import '../platform/node/install.js';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { StartError } from '../platform/launcher/stages.js';
import { COMMANDS } from './commands.js';
import { exitCodeOf, UsageError } from './common.js';
import { tell } from './terminal.js';
import { usageMessage } from './usage.js';

async function main(): Promise<void> {
  const words = hideBin(process.argv);
  const names = COMMANDS.map(({ command }) => String(command).split(' ')[0] as string);
  const cli = yargs(words)
    .scriptName('osler')
    // Its own words would otherwise be those of the system's language, and ours are English.
    .locale('en')
    .usage('$0 <command>\n\nTrains medical vision-language models to reason, on any GPU that speaks WebGPU.')
    .command(COMMANDS)
    .demandCommand(1, 'Name a command; `osler --help` lists them.')
    .strict()
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .epilogue('Exit codes: 0 success, 1 a run that failed, 2 bad usage or bad input.')
    .fail((message, error) => {
      throw error ?? new UsageError(usageMessage(message, words, names));
    });
  try {
    await cli.parseAsync();
  } catch (error) {
    const { message, stack } = error as Error;
    tell(`osler: ${process.argv.includes('--verbose') ? stack : message}`);
    process.exitCode = exitCodeOf(error);
    // What hangs would keep the process.
    if (error instanceof StartError) process.exit();
  }
}

await main();
