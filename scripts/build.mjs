/** `npm run build`: src/ to dist/, with type checks. */
import { buildChecked, ensureInstalled } from './lib/checkout.mjs';

ensureInstalled();
process.exitCode = buildChecked() ? 0 : 1;
