/** Finds a Chromium for tests; none is downloaded. */
import { existsSync } from 'node:fs';
import path from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** The executable that OSLER_CHROMIUM names, or one of the PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  const named = process.env.OSLER_CHROMIUM;
  if (named) return named;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders
    .flatMap((folder) => NAMES.map((name) => path.join(folder, name)))
    .find((file) => existsSync(file));
}

/** What a skipped test says. */
export const NO_CHROMIUM =
  'no Chromium found: install it (Debian: apt-get install chromium) or set OSLER_CHROMIUM to its path';
