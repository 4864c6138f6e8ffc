/** `osler bench`: kernel microbenchmarks against the measured roofline, peers, and what real GPUs would make of it. */
import { existsSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { ensureDriver } from '../platform/launcher/launch.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { print } from './terminal.js';

interface Args extends CommonArgs {
  readonly filter?: string;
  readonly peers: boolean;
  readonly items?: string;
  readonly out?: string;
  readonly profile?: string;
  readonly isa?: string[];
  readonly launches: boolean;
  readonly predict: boolean;
  readonly card: boolean;
  readonly model?: string;
}

/** The benchmarks live outside `src/`, and the first are compiled beside it; they are loaded only when asked for. */
const KERNELS = new URL('../bench/run.js', import.meta.url);
const PEERS = new URL('../../bench/peers/run.mjs', import.meta.url);
const INSTRUMENT = new URL('../bench/instrument/run.js', import.meta.url);

interface Runner {
  runBench(options: { filter?: string; json: boolean; out?: string; profile?: string }): Promise<void>;
}

interface Peers {
  runPeers(options: { items?: string[]; log?: (line: string) => void }): Promise<unknown>;
}

interface Output {
  readonly json: boolean;
  readonly out?: string;
}

interface Instrument {
  runIsa(chips: readonly string[], options: Output): Promise<void>;
  runLaunches(options: Output): Promise<void>;
  runPredict(options: Output): Promise<void>;
  runCard(model: string, options: Output): Promise<void>;
}

/** Each asks for something else than timing kernels. */
const MODES = ['peers', 'isa', 'launches', 'predict', 'card'] as const;

/** The yargs command. */
export const bench: CommandModule<object, Args> = {
  command: 'bench',
  describe: 'Time the kernels and compare them with the measured roofline and with peers',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('filter', {
        type: 'string',
        describe: 'Only kernels whose family, name or shape contains this text',
      })
      .option('out', { type: 'string', describe: 'Write the results as JSON to this file' })
      .option('profile', {
        type: 'string',
        describe: 'Write a Chrome trace of one run of each kernel to this file',
      })
      .option('peers', {
        type: 'boolean',
        default: false,
        describe:
          'Run tfjs, jax-js and onnxruntime beside Osler in one process (installs them in bench/peers)',
      })
      .option('items', { type: 'string', describe: 'With --peers: only these work items, comma-separated' })
      .option('isa', {
        type: 'array',
        string: true,
        describe:
          "Compile all pipelines with real GPUs' drivers, without the GPUs, and print registers, spills and loops: of navi21, navi31, gfx1201, ampere, apple, adreno, by default all",
      })
      .option('launches', {
        type: 'boolean',
        default: false,
        describe:
          'Count the launches of decode steps and training passes of Qwen2-VL-2B, and their host time',
      })
      .option('predict', {
        type: 'boolean',
        default: false,
        describe:
          'Predict a GRPO step of Qwen2-VL-2B on several cards from its launches and their data sheets',
      })
      .option('card', {
        type: 'boolean',
        default: false,
        describe:
          "Measure that step on this machine's adapter, beside a prediction from its measured roofline",
      })
      .option('model', { type: 'string', describe: 'With --card: another published model, or a miniature' })
      .example('$0 bench --filter matmul', 'every matmul shape')
      .example('$0 bench --filter attention --profile trace.json', 'with a trace for ui.perfetto.dev')
      .example('$0 bench --isa navi31 apple', 'registers, spills and loops on two chips')
      .example('$0 bench --peers --items mm1024,gpt', 'side by side with the peers'),
  handler: async (args) => {
    const modes = MODES.filter((mode) => args[mode]);
    if (modes.length > 1) throw new UsageError(`--${modes[0]} and --${modes[1]} are two things; ask for one`);
    const [mode] = modes;
    if (args.filter && mode)
      throw new UsageError(
        `--filter chooses kernels to time; --${mode} times none${mode === 'peers' ? ', use --items' : ''}`,
      );
    if (args.model && mode !== 'card') throw new UsageError('--model is for --card');
    if (!mode) {
      const { runBench } = (await import(KERNELS.href)) as Runner;
      return runBench(args);
    }
    if (mode !== 'peers') {
      if (!existsSync(INSTRUMENT)) {
        throw new UsageError(`--${mode} needs a checkout of Osler: the package does not carry what it takes`);
      }
      const instrument = (await import(INSTRUMENT.href)) as Instrument;
      if (mode === 'isa') return instrument.runIsa(args.isa ?? [], args);
      if (mode === 'launches') return instrument.runLaunches(args);
      if (mode === 'predict') return instrument.runPredict(args);
      return instrument.runCard(args.model ?? 'qwen2-vl-2b', args);
    }
    if (!existsSync(PEERS)) {
      throw new UsageError('--peers needs a checkout of Osler: the package does not carry the peers');
    }
    await ensureDriver();
    const { runPeers } = (await import(PEERS.href)) as Peers;
    const outcome = await runPeers({
      items: args.items?.split(','),
      ...(args.json ? { log: () => {} } : {}),
    });
    if (args.json) print(JSON.stringify(outcome, null, 2));
  },
};
