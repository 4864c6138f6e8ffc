/**
 * `npm run page`: builds the page "This GPU" into page/built, static files that any server may offer; `osler page` serves the
 * same on this machine.
 */
import { ensureInstalled } from './lib/checkout.mjs';

ensureInstalled();
const { buildPage } = await import('./lib/build-page.mjs');
console.log(await buildPage());
