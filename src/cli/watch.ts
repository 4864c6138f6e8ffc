/** `osler watch`: the report of a run, live in a browser while it trains. */
import type { CommandModule } from 'yargs';
import { loadPageAssets } from '../report/assets.js';
import { LiveRun } from '../report/live-run.js';
import { type CommonArgs, commonOptions } from './common.js';
import { numbers, PORT } from './numbers.js';
import { stopSignal } from './signals.js';
import { print, printJson, tell } from './terminal.js';
import { serveRun } from './watch-server.js';

interface Args extends CommonArgs {
  readonly run: string;
  readonly port: number;
}

/** The yargs command. */
export const watch: CommandModule<object, Args> = {
  command: 'watch <run>',
  describe: 'Serve the report of a run on 127.0.0.1 while it trains',
  builder: (yargs) =>
    commonOptions(yargs)
      .positional('run', { type: 'string', demandOption: true, describe: 'Folder of the run (output_dir)' })
      .option('port', { type: 'number', default: 8780, describe: 'Port to listen on; 0 takes any free one' })
      .check(numbers({ port: PORT }), false)
      .example('$0 watch runs/grpo', 'then open http://127.0.0.1:8780/'),
  handler: async (args) => {
    let last = '';
    const server = await serveRun(new LiveRun(args.run), {
      assets: await loadPageAssets(),
      port: args.port,
      // The same problem comes with every look at the files; once is enough.
      onProblem: ({ message }) => {
        if (message !== last) tell(`osler: ${message}`);
        last = message;
      },
    });
    if (args.json) printJson({ url: server.url });
    else print(`${args.run}: ${server.url} (Ctrl-C ends)`);
    await stopSignal();
    await server.close();
  },
};
