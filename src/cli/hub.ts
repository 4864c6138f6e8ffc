/** `osler hub`: the server that runs and workers meet at. */
import { existsSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { provideNatsServer } from '../platform/launcher/nats.js';
import { NatsProcess } from '../platform/launcher/nats-process.js';
import { readToken, writeToken } from './cluster/access.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { stopSignal } from './signals.js';
import { tell } from './terminal.js';

interface Args extends CommonArgs {
  readonly listen: string;
  readonly tokenFile: string;
  readonly store: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** The yargs command. */
export const hub: CommandModule<object, Args> = {
  command: 'hub',
  describe:
    'Run the NATS server that `osler grpo --join` and `osler worker --join` meet at, until it is stopped',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('listen', { type: 'string', default: '127.0.0.1:4222', describe: 'Address and port' })
      .option('token-file', {
        type: 'string',
        demandOption: true,
        describe: 'File with the token that all must show; made with a new one if it is not there',
      })
      .option('store', {
        type: 'string',
        demandOption: true,
        describe: 'Folder for what is under way: units, results, weights',
      })
      .option('tls-cert', { type: 'string', describe: 'Certificate, for tls:// addresses' })
      .option('tls-key', { type: 'string', describe: 'Its key' })
      .example(
        '$0 hub --listen 0.0.0.0:4222 --token-file token.txt --store hub',
        'for the machines of a lab whose network is its own; else with --tls-cert and --tls-key',
      ) as never,
  handler: async (args) => {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(args.listen) ?? [];
    if (host === undefined) throw new UsageError(`--listen is "${args.listen}"; write 0.0.0.0:4222`);
    const { tlsCert: cert, tlsKey: key } = args;
    if ((cert === undefined) !== (key === undefined))
      throw new UsageError('--tls-cert and --tls-key go together');
    const token = existsSync(args.tokenFile)
      ? await readToken(args.tokenFile)
      : await writeToken(args.tokenFile);
    const binary = provideNatsServer((line) => tell(`osler: ${line}`));
    const server = await NatsProcess.start({
      binary,
      folder: args.store,
      token,
      host,
      port: Number(port),
      ...(cert !== undefined && key !== undefined ? { tls: { cert, key } } : {}),
    });
    server.note = tell;
    tell(
      `listening at ${server.url}; workers join with: osler worker --join ${server.url} --token-file ${args.tokenFile}`,
    );
    if (cert === undefined && !/^(127\.|localhost|\[?::1)/.test(host)) {
      tell(
        'warning: without --tls-cert everybody on the network can read the token and what is learned from',
      );
    }
    await stopSignal();
    await server.stop();
  },
};
