/**
 * `node scripts/chromium.mjs`: prints the path of a Chromium, which it installs from Debian where there is none. Tests of pages
 * are skipped without one; where everything must be tested, the one printed is given to them in `OSLER_CHROMIUM`.
 */
import { spawnSync } from 'node:child_process';
import { findChromium, NO_CHROMIUM } from './lib/chromium.mjs';

/** Installs Debian's package; returns why not where it cannot. */
function install() {
  if (process.getuid?.() !== 0) return 'only root can install packages';
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { error, status } = spawnSync('apt-get', ['-q', ...args], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (error) return 'this system has no apt-get';
    if (status !== 0) return `apt-get ${args[0]} failed, as the lines above say`;
  }
  return undefined;
}

let found = findChromium();
if (!found) {
  const problem = install();
  found = findChromium();
  if (!found) console.error(`${NO_CHROMIUM}${problem ? ` (${problem})` : ''}`);
}
if (found) console.log(found);
else process.exitCode = 1;
