#!/usr/bin/env node
/** The `osler` command line: one file per command in this folder. */
import '../platform/node/install.js';
import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { bench } from './bench.js';
import { exitCodeOf, UsageError } from './common.js';
import { compare } from './compare.js';
import { data } from './data.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { generate } from './generate.js';
import { grpo } from './grpo.js';
import { init } from './init.js';
import { inspect } from './inspect.js';
import { matrix } from './matrix.js';
import { parity } from './parity.js';
import { phantom } from './phantom.js';
import { pull } from './pull.js';
import { report } from './report.js';
import { serve } from './serve.js';
import { sft } from './sft.js';
import { synth } from './synth.js';
import { usageMessage } from './usage.js';
import { verify } from './verify.js';
import { watch } from './watch.js';

/** In the order of `osler --help`: from first looks to looking at results. */
const COMMANDS = [
  demo,
  doctor,
  init,
  pull,
  inspect,
  verify,
  parity,
  generate,
  serve,
  sft,
  grpo,
  evaluate,
  compare,
  matrix,
  data,
  phantom,
  synth,
  report,
  watch,
  bench,
] as CommandModule[];

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
    console.error(`osler: ${process.argv.includes('--verbose') ? stack : message}`);
    process.exitCode = exitCodeOf(error);
  }
}

await main();
