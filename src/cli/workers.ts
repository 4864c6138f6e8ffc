/** `osler workers`: who works on what. */
import { setTimeout } from 'node:timers/promises';
import type { CommandModule } from 'yargs';
import { fromBytes, Hub, WORKER_BEAT, WORKER_BEATS, type WorkerBeat } from '../exchange/nats/index.js';
import { type AccessArgs, accessOptions, addressOf } from './cluster/access.js';
import { type CommonArgs, commonOptions } from './common.js';
import { textTable } from './table.js';
import { print, printJson, tell } from './terminal.js';

interface Args extends CommonArgs, AccessArgs {}

/** Milliseconds in which every worker gives a sign. */
const LISTENED = 2500;

/** The yargs command. */
export const workers: CommandModule<object, Args> = {
  command: 'workers',
  describe: 'Show who works on the runs of a server: what they do, how fast, what failed',
  builder: (yargs) =>
    accessOptions(commonOptions(yargs))
      .demandOption('join')
      .example(
        '$0 workers --join nats://lab-1:4222 --token-file token.txt',
        'a table of the workers',
      ) as never,
  handler: async (args) => {
    const hub = await Hub.open(await addressOf(args), 'osler workers');
    const found = new Map<string, WorkerBeat & { run: string }>();
    try {
      hub.nc.subscribe(WORKER_BEATS, {
        callback: (_, { subject, data }) => {
          const beat = fromBytes(WORKER_BEAT, data);
          const run = subject.split('.').at(-2) as string;
          if (beat) found.set(`${run} ${beat.worker}`, { ...beat, run });
        },
      });
      await setTimeout(LISTENED);
    } finally {
      await hub.close();
    }
    const all = [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, beat]) => beat);
    if (args.json) return printJson(all);
    if (all.length === 0) return tell('no worker has a run now; workers that wait for one are silent');
    print(
      textTable(
        ['worker', 'host', 'run', 'state', 'unit', 'for s', 'done', 'failed', 's/unit', 'MiB'],
        all.map((beat) => [
          beat.worker,
          beat.host,
          beat.run,
          beat.state,
          beat.unit ?? '',
          beat.unit === null ? '' : beat.seconds.toFixed(1),
          String(beat.done),
          String(beat.failed),
          beat.done === 0 ? '' : (beat.busy / beat.done).toFixed(2),
          (beat.bytes / 2 ** 20).toFixed(1),
        ]),
      ),
    );
  },
};
