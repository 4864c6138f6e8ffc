/** Finds a Chromium for the tests and benchmarks of pages. */
import { existsSync } from 'node:fs';
import path from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
/** Where it is on systems that do not put it on the PATH. */
const APPLICATIONS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** The executable that OSLER_CHROMIUM names, or the first that is found; undefined where there is none. */
export function findChromium() {
  const named = process.env.OSLER_CHROMIUM;
  if (named) return named;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const onPath = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return [...onPath, ...APPLICATIONS].find((file) => existsSync(file));
}

/** What a skipped test says. */
export const NO_CHROMIUM =
  'no Chromium found: install it (Debian: apt-get install chromium) or set OSLER_CHROMIUM to its path';
