/** `npm run -s osler -- <command>`: the command line of a checkout, which builds first what has changed. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled, root } from './lib/checkout.mjs';

ensureInstalled();
ensureBuilt();
const main = path.join(root, 'dist', 'cli', 'main.js');
if (!existsSync(main)) {
  console.error('osler: src/cli/main.ts is not there, so there is no command line to run.');
  process.exit(1);
}
// npm starts scripts in the root of the checkout; paths on the command line are meant from where the user is.
if (process.env.INIT_CWD && process.cwd() === path.resolve(root)) process.chdir(process.env.INIT_CWD);
// In this process, not in a child: one process fewer between a signal and the program that it is for.
process.argv[1] = main;
await import(pathToFileURL(main).href);
