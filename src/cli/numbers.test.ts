/** Options that are numbers are refused by name, before a command begins. */
import { describe, expect, it } from 'vitest';
import type { CommandModule } from 'yargs';
import { UsageError } from './common.js';
import { dataSplit } from './data-split.js';
import { evaluate } from './eval.js';
import { generate } from './generate.js';
import { init } from './init.js';
import { numbers, SHARE } from './numbers.js';
import { phantom } from './phantom.js';
import { report } from './report.js';
import { serve } from './serve.js';
import { synth } from './synth.js';
import { runCommand } from './test-run.js';
import { watch } from './watch.js';

/** A command with the words that it needs besides; no file or folder of these names is there. */
function command<T>(module: CommandModule<object, T>, needed: string) {
  return (words: string) => runCommand(module, ...`${needed} ${words}`.split(' '));
}

const COMMANDS = {
  eval: command(evaluate, 'eval --model none --data none'),
  generate: command(generate, 'generate --model none --prompt x'),
  init: command(init, 'init --arch tiny --out none'),
  phantom: command(phantom, 'phantom --out none'),
  report: command(report, 'report none'),
  serve: command(serve, 'serve --model none'),
  split: command(dataSplit, 'split none'),
  synth: command(synth, 'synth --model none --data none --out none'),
  watch: command(watch, 'watch none'),
};

describe('options out of range', () => {
  it.each([
    ['eval', '--temperature hot', '--temperature is not a number; give a number from 0 up'],
    ['eval', '--top-p 1.5', '--top-p is 1.5; give a number from 0 to 1'],
    ['eval', '--batch 0', '--batch is 0; give a whole number from 1 up'],
    ['eval', '--limit', '--limit has no value; give a whole number from 1 up'],
    ['eval', '--samples 2 --samples 3', '--samples is given 2 times; give it once'],
    ['generate', '--max-new-tokens 2.5', '--max-new-tokens is 2.5; give a whole number from 1 up'],
    ['generate', '--repetition-penalty 0', '--repetition-penalty is 0; give a number above 0'],
    ['generate', '--max-pixels -3', '--max-pixels is -3; give a whole number from 1 up'],
    ['generate', '--n 0', '--n is 0; give a whole number from 1 up'],
    ['phantom', '--n many', '--n is not a number; give a whole number from 1 up'],
    ['phantom', '--n 3 --size 8', '--size is 8; give a whole number from 28 up'],
    ['init', '--seed -1', '--seed is -1; give a whole number from 0 up'],
    ['split', '--test-share 1', '--test-share is 1; give a number above 0 and below 1'],
    ['synth', '--keep 0', '--keep is 0; give a whole number from 1 up'],
    ['report', '--max-size 0.5', '--max-size is 0.5; give a number from 1 up'],
    ['serve', '--port 70000', '--port is 70000; give a whole number from 0 to 65535'],
    ['watch', '--port x', '--port is not a number; give a whole number from 0 to 65535'],
  ] as const)('%s %s', async (name, words, message) => {
    const refused = COMMANDS[name](words);
    await expect(refused).rejects.toThrow(new UsageError(message));
    await expect(refused).rejects.toBeInstanceOf(UsageError);
  });
});

it('takes the ends of a range, and options that are not given', () => {
  const check = numbers({ share: SHARE, other: SHARE });
  for (const share of [0, 0.5, 1]) expect(check({ share })).toBe(true);
  for (const share of [-0.1, 1.1, Infinity]) expect(() => check({ share })).toThrow(UsageError);
});
