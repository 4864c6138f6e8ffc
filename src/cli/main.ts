#!/usr/bin/env node
/** The `osler` command line: one file per command in this folder. */
import yargs from 'yargs';
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
import { watch } from './watch.js';

async function main(): Promise<void> {
  const cli = yargs(hideBin(process.argv))
    .scriptName('osler')
    .usage('$0 <command>\n\nTrains medical vision-language models to reason, on any GPU that speaks WebGPU.')
    .command(demo)
    .command(doctor)
    .command(init)
    .command(pull)
    .command(inspect)
    .command(parity)
    .command(generate)
    .command(serve)
    .command(sft)
    .command(grpo)
    .command(evaluate)
    .command(compare)
    .command(matrix)
    .command(data)
    .command(phantom)
    .command(synth)
    .command(report)
    .command(watch)
    .command(bench)
    .demandCommand(1, 'Name a command; `osler --help` lists them.')
    .strict()
    .recommendCommands()
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .epilogue('Exit codes: 0 success, 1 a run that failed, 2 bad usage or bad input.')
    .fail((message, error) => {
      throw error ?? new UsageError(message);
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
