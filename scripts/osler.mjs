/** `npm run -s osler -- <command>`: the command line of a checkout, which builds first what has changed. */
import { existsSync } from 'node:fs';
import { ensureBuilt, ensureInstalled, root } from './lib/checkout.mjs';

ensureInstalled();
ensureBuilt();
const main = new URL('dist/cli/main.js', `file://${root}`);
if (!existsSync(main)) {
  console.error('osler: src/cli/main.ts is not there, so there is no command line to run.');
  process.exit(1);
}
// In this process, not in a child: one process fewer between a signal and the program that it is for.
process.argv[1] = main.pathname;
await import(main.href);
