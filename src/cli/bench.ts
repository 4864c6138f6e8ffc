/** `osler bench`: kernel microbenchmarks against the measured roofline, and against peers when asked. */
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
}

/** The benchmarks live outside `src/`, and the first are compiled beside it; they are loaded only when asked for. */
const KERNELS = new URL('../bench/run.js', import.meta.url);
const PEERS = new URL('../../bench/peers/run.mjs', import.meta.url);

interface Runner {
  runBench(options: { filter?: string; json: boolean; out?: string; profile?: string }): Promise<void>;
}

interface Peers {
  runPeers(options: { items?: string[]; log?: (line: string) => void }): Promise<unknown>;
}

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
      .example('$0 bench --filter matmul', 'every matmul shape')
      .example('$0 bench --filter attention --profile trace.json', 'with a trace for ui.perfetto.dev')
      .example('$0 bench --peers --items mm1024,gpt', 'side by side with the peers'),
  handler: async (args) => {
    if (!args.peers) {
      const { runBench } = (await import(KERNELS.href)) as Runner;
      return runBench(args);
    }
    if (args.filter) throw new UsageError('--filter chooses kernels; with --peers use --items');
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
