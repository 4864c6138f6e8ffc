/** Command lines that are not understood get one sentence. */

import { expect, it } from 'vitest';
import yargs from 'yargs';
import { data } from './data.js';
import { generate } from './generate.js';
import { init } from './init.js';
import { usageMessage } from './usage.js';

/** What yargs says, by way of {@link usageMessage}. */
async function said(line: string): Promise<string> {
  const words = line.split(' ');
  const cli = yargs(words)
    .locale('en')
    .command(init)
    .command(generate)
    .command(data)
    .demandCommand(1)
    .strict();
  try {
    await cli
      .exitProcess(false)
      .fail((text, error) => {
        throw error ?? new Error(text);
      })
      .parseAsync();
  } catch (error) {
    return usageMessage((error as Error).message, words, ['init', 'generate', 'data']);
  }
  return 'nothing';
}

it.each([
  ['bogus', '"bogus" is not a command; `osler --help` lists them'],
  ['genrate --prompt x', '"genrate" is not a command; did you mean "generate"? `osler --help` lists them'],
  ['data bogus', 'unknown argument bogus; `osler data --help` lists what there is'],
  ['init --out x --bogus 1', 'unknown argument bogus; `osler init --help` lists what there is'],
  [
    'init --out x --dtype int8 --arch tiny',
    '--dtype is "int8"; allowed are "float32", "float16", "bfloat16"',
  ],
  ['data stats', 'data needs more words; `osler data --help` shows how it is called'],
  ['init', 'Missing required argument: out'],
])('osler %s', async (line, message) => {
  expect(await said(line)).toBe(message);
});
