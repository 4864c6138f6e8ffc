/** `osler parity`: a model's numbers beside those of the reference implementation. */

import type { CommandModule } from 'yargs';
import { grpoKind } from '../grpo/parity/kind.js';
import type { WeightDtype } from '../models/core/load-weights.js';
import { loadAdapter } from '../models/core/lora/disk.js';
import { loadModel } from '../models/load.js';
import { Fixture } from '../models/parity/fixture.js';
import { MODEL_KINDS, type ParityReport, runParity } from '../models/parity/run.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { FLOATS } from '../tensor/index.js';
import { type CommonArgs, commonOptions } from './common.js';
import { openDevice } from './device.js';
import { print, printJson, tell } from './terminal.js';

interface Args extends CommonArgs {
  readonly model: string;
  readonly fixture: string;
  readonly adapter?: string;
  readonly tier?: string;
  readonly dtype: WeightDtype;
  readonly recompute: boolean;
}

function render({ tensors, pass }: ParityReport): string {
  const width = Math.max(...tensors.map(({ name }) => name.length));
  const show = (x: number | null) => (x === null ? 'NaN' : x.toExponential(2)).padStart(9);
  const lines = tensors.map(
    (t) => `${t.name.padEnd(width)}  ${show(t.rel)}  ${show(t.maxAbs)}  ${t.pass ? 'pass' : 'FAIL'}`,
  );
  const failed = tensors.filter((t) => !t.pass).length;
  const verdict = pass ? `all ${tensors.length} tensors pass` : `${failed} of ${tensors.length} tensors fail`;
  return [`${'tensor'.padEnd(width)}   rel. L2    max abs`, ...lines, verdict].join('\n');
}

/** The yargs command. */
export const parity: CommandModule<object, Args> = {
  command: 'parity',
  describe: 'Compare a model with a fixture that transformers made: logits, loss, gradients',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('model', {
        type: 'string',
        demandOption: true,
        describe: 'Folder with config.json and safetensors',
      })
      .option('fixture', {
        type: 'string',
        demandOption: true,
        describe: 'Made by reference/make_fixture.py or make_grpo_fixture.py',
      })
      .option('adapter', { type: 'string', describe: 'Folder of a LoRA adapter in PEFT format' })
      .option('tier', { type: 'string', describe: 'Feature tier of the kernels; the best by default' })
      .option('dtype', {
        choices: ['auto', ...FLOATS] as const,
        default: 'auto' as const,
        describe: 'How weights are stored on the device; auto keeps what the file has',
      })
      .option('recompute', { type: 'boolean', default: false, describe: 'With gradient checkpointing' })
      .example(
        '$0 parity --model models/tiny --fixture tiny.safetensors',
        'errors per tensor; exit code 1 on failure',
      )
      .example(
        '$0 parity --model m --fixture f.safetensors --tier base --json',
        'the portable kernels, for scripts',
      ),
  handler: async (args) => {
    await ensureDriver();
    const fixture = await Fixture.open(args.fixture);
    const gpu = await openDevice({ tier: args.tier });
    try {
      const model = await loadModel(gpu, args.model, { dtype: args.dtype });
      if (args.adapter) await loadAdapter(model, args.adapter);
      for (const warning of model.warnings) tell(`warning: ${warning}`);
      const report = await runParity(
        model,
        fixture,
        { recompute: args.recompute },
        { ...MODEL_KINDS, grpo: grpoKind },
      );
      if (args.json) printJson(report);
      else print(render(report));
      if (!report.pass) process.exitCode = 1;
    } finally {
      await fixture.close();
      await gpu.destroy();
    }
  },
};
