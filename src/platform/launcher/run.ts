/**
 * Runs any script where an adapter can be found: `node dist/platform/launcher/run.js <script.js> [arguments]`.
 * The script sees itself as the main program.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureDriver } from './launch.js';

const [, , script, ...args] = process.argv;
if (!script) {
  console.error('osler: usage: node dist/platform/launcher/run.js <script.js> [arguments]');
  process.exit(2);
}
await ensureDriver();
const file = path.resolve(script);
process.argv = [process.argv[0], file, ...args];
await import(pathToFileURL(file).href);
