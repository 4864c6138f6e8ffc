/** `osler demo`: the whole mission in minutes, without a GPU. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandModule } from 'yargs';
import { HELD_OUT } from '../demo/data.js';
import { type DemoResult, runDemo } from '../demo/demo.js';
import type { Score } from '../demo/exam.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { type CommonArgs, commonOptions } from './common.js';
import { openDevice } from './device.js';
import { numbers, SEED } from './numbers.js';
import { percent, textTable } from './table.js';
import { print, printJson, trainingConsole } from './terminal.js';

const RECIPES = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'recipes', 'demo');

interface Args extends CommonArgs {
  readonly out: string;
  readonly seed: number;
  readonly full: boolean;
  readonly short: boolean;
}

function scoreText({ accuracy, low, high }: Score): string {
  return `${percent(accuracy)} (${percent(low, 0)} to ${percent(high, 0)})`;
}

function render({ rows, report }: DemoResult, short: boolean): string {
  const table = textTable(
    ['', 'modalities trained on', `${HELD_OUT}, held out`, 'training'],
    rows.map(({ name, trained, heldOut, seconds }) => [
      name,
      scoreText(trained),
      scoreText(heldOut),
      seconds > 0 ? `${seconds.toFixed(0)} s` : '',
    ]),
  );
  const worth = short ? 'too few to mean anything (--short)' : 'with 95% intervals';
  return `\nright answers to new questions, ${worth}\n${table}\n\nevery reasoning trace: ${report}`;
}

/** The yargs command. */
export const demo: CommandModule<object, Args> = {
  command: 'demo',
  describe: 'Train a small model with GRPO on drawn pictures, and show what it learned: minutes, no GPU',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('out', { type: 'string', default: 'runs/demo', describe: 'Folder for everything it makes' })
      .option('seed', { type: 'number', default: 0, describe: 'Of pictures, samples and batches' })
      .option('full', {
        type: 'boolean',
        default: false,
        describe: 'Make the starting checkpoint anew, too, instead of taking the one that comes with Osler',
      })
      .option('short', {
        type: 'boolean',
        default: false,
        describe: 'Two steps and few pictures: shows that everything works here, and nothing else',
      })
      // Training takes seeds of 32 bits.
      .check(numbers({ seed: { ...SEED, max: 2 ** 32 - 1 } }), false)
      .example('$0 demo', 'ends with a table and the path of the report')
      .example('$0 demo --short', 'half a minute: does everything work on this machine')
      .example('$0 demo --full --seed 1', 'from random weights; three quarters of an hour on two cores'),
  handler: async (args) => {
    await ensureDriver();
    const gpu = await openDevice();
    try {
      const result = await runDemo({
        gpu,
        recipes: RECIPES,
        out: path.resolve(args.out),
        seed: args.seed,
        full: args.full,
        short: args.short,
        console: trainingConsole,
      });
      if (args.json) printJson(result);
      else print(render(result, args.short));
    } finally {
      await gpu.destroy();
    }
  },
};
