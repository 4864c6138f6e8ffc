/** `osler worker`: does units of work for runs on other machines. */
import os from 'node:os';
import type { CommandModule } from 'yargs';
import { Hub, runWorker } from '../exchange/nats/index.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { startWatchdog } from '../platform/node/watchdog.js';
import { type AccessArgs, accessOptions, addressOf } from './cluster/access.js';
import { fingerprintOf } from './cluster/fingerprint.js';
import { openHost } from './cluster/host.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { openDevice } from './device.js';
import { onStopSignal } from './signals.js';
import { tell } from './terminal.js';

interface Args extends CommonArgs, AccessArgs {
  readonly name?: string;
  readonly models?: string;
  readonly tier?: string;
  readonly endWithParent: boolean;
}

/** The yargs command. */
export const worker: CommandModule<object, Args> = {
  command: 'worker',
  describe: 'Do units of work for `osler grpo --join` runs on other machines, until it is stopped',
  builder: (yargs) =>
    accessOptions(commonOptions(yargs))
      .demandOption('join')
      .option('name', { type: 'string', describe: 'What others see it as; host and process by default' })
      .option('models', {
        type: 'string',
        describe: 'Folder with the models, where they do not lie where the leader has them',
      })
      .option('tier', { type: 'string', describe: 'Feature tier of the kernels; the best by default' })
      .option('end-with-parent', { type: 'boolean', default: false, hidden: true })
      .example(
        '$0 worker --join nats://lab-1:4222 --token-file token.txt --models /data/models',
        'a machine more for a run',
      ) as never,
  handler: async (args) => {
    const address = await addressOf(args);
    await ensureDriver();
    if (args.endWithParent) startWatchdog();
    const name = args.name ?? `${os.hostname().split('.')[0]}-${process.pid}`;
    if (!/^[\w-]{1,64}$/.test(name))
      throw new UsageError(`--name is "${name}"; use letters, digits, - and _`);
    const hub = await Hub.open(address, `osler worker ${name}`);
    const stop = new AbortController();
    const { release } = onStopSignal((signal) => {
      if (!args.endWithParent) tell(`${signal}: the unit under way goes back; once more to end at once`);
      stop.abort();
    });
    try {
      const gpu = await openDevice({ tier: args.tier });
      try {
        await runWorker({
          hub,
          worker: name,
          host: os.hostname(),
          fingerprint: fingerprintOf(gpu),
          open: (announcement) => openHost(gpu, announcement, args.models),
          note: (line) => (args.endWithParent ? undefined : tell(line)),
          signal: stop.signal,
        });
      } finally {
        await gpu.destroy();
      }
    } finally {
      release();
      await hub.close();
    }
  },
};
