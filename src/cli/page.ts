/** `osler page`: the page "This GPU", which checks and measures whatever GPU a browser on this machine uses. */
import { existsSync } from 'node:fs';
import type { CommandModule } from 'yargs';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { numbers, PORT } from './numbers.js';
import { servePage } from './page-server.js';
import { stopSignal } from './signals.js';
import { print, printJson } from './terminal.js';

interface Args extends CommonArgs {
  readonly port: number;
}

/** What makes it lies outside of `src/`, with the tests and benchmarks that it runs. */
const BUILD = new URL('../../scripts/lib/build-page.mjs', import.meta.url);

interface Builder {
  pageFiles(): Promise<Record<string, string | Uint8Array>>;
}

/** The yargs command. */
export const page: CommandModule<object, Args> = {
  command: 'page',
  describe: 'Serve a page on 127.0.0.1 that checks and measures the GPU of the browser that opens it',
  builder: (yargs) =>
    commonOptions(yargs)
      .option('port', { type: 'number', default: 8790, describe: 'Port to listen on; 0 takes any free one' })
      .check(numbers({ port: PORT }), false)
      .example('$0 page', 'then open http://127.0.0.1:8790/'),
  handler: async (args) => {
    if (!existsSync(BUILD)) {
      throw new UsageError(
        'the page needs a checkout of Osler: the package does not carry the tests that it runs',
      );
    }
    const { pageFiles } = (await import(BUILD.href)) as Builder;
    const server = await servePage(await pageFiles(), args.port);
    if (args.json) printJson({ url: server.url });
    else print(`This GPU: ${server.url} (Ctrl-C ends)`);
    await stopSignal();
    await server.close();
  },
};
