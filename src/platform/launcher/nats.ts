/**
 * A current nats-server, as the software driver comes: Debian's package, signatures checked by apt, unpacked into the cache
 * folder without root; else the one on the `PATH`. 12 MB to download, 11 MB on disk.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import type { AptRecipe } from './apt.js';
import { downloadPackages, run } from './apt-download.js';
import { LaunchError } from './launch.js';
import { findOnPath, lockFolder, mesaRecipes, type Report } from './mesa.js';
import { ARCHITECTURES } from './mesa-folder.js';
import { cacheFolder } from './paths.js';

/** What Osler was tried with, and the oldest that answers what it asks. */
const CURRENT = [2, 10];
const OLDEST = [2, 9];

/** The server's file: fetched before, on the `PATH`, or fetched now. `OSLER_NATS_SERVER` names another. */
export function provideNatsServer(report: Report): string {
  const named = process.env.OSLER_NATS_SERVER;
  if (named) {
    if (isAtLeast(named, OLDEST)) return named;
    throw new LaunchError(
      `OSLER_NATS_SERVER is "${named}", which is no nats-server of ${OLDEST.join('.')} or newer`,
      2,
    );
  }
  const found = findOnPath('nats-server');
  if (found && isAtLeast(found, CURRENT)) return found;
  const recipes = mesaRecipes();
  let problem: string;
  if (typeof recipes === 'string') {
    problem = recipes.replace('a private Mesa', 'a private one');
  } else {
    const own = recipes.map(natsRecipe);
    const installed = own.map(({ id }) => path.join(cacheFolder(), id, 'nats-server')).find(fs.existsSync);
    if (installed) return installed;
    try {
      return install(own, report);
    } catch (error) {
      problem = `it could not be fetched: ${(error as Error).message}`;
    }
  }
  if (found && isAtLeast(found, OLDEST)) return found;
  throw new LaunchError(
    `no nats-server of ${OLDEST.join('.')} or newer was found (${problem}); install it from https://github.com/nats-io/nats-server/releases, onto the PATH or named by OSLER_NATS_SERVER`,
  );
}

/** Whether there is one to be had; for tests. */
export function hasNatsServer(): boolean {
  try {
    provideNatsServer(() => {});
    return true;
  } catch {
    return false;
  }
}

/** Where Mesa's backports come from, the release itself has the server. */
function natsRecipe(recipe: AptRecipe): AptRecipe {
  const release = recipe.release.replace(/-backports$/, '');
  return { ...recipe, id: recipe.id.replace('mesa', 'nats-server'), suites: [release], release };
}

function install(recipes: readonly AptRecipe[], report: Report): string {
  const cache = cacheFolder();
  fs.mkdirSync(cache, { recursive: true });
  let failure = new Error('there is no recipe for this machine');
  for (const recipe of recipes) {
    const final = path.join(cache, recipe.id);
    const unlock = lockFolder(`${final}.lock`, report);
    const work = fs.mkdtempSync(path.join(cache, `.${recipe.id}.${process.pid}-`));
    try {
      const file = path.join(final, 'nats-server');
      // Another process may have done the work while this one waited.
      if (fs.existsSync(file)) return file;
      report(`fetching nats-server (${recipe.release}) from ${recipe.mirror}: 12 MB, once`);
      const archives = downloadPackages(path.join(work, 'apt'), recipe, ARCHITECTURES[process.arch].name, [
        'nats-server',
      ]);
      const archive = archives.find((found) => path.basename(found).startsWith('nats-server_'));
      if (!archive) throw new Error('apt brought no nats-server');
      run('dpkg-deb', ['-x', archive, path.join(work, 'root')], work);
      const binary = ['usr/sbin', 'usr/bin']
        .map((folder) => path.join(work, 'root', folder, 'nats-server'))
        .find(fs.existsSync);
      if (!binary || !isAtLeast(binary, OLDEST))
        throw new Error('the nats-server of the package does not run here');
      const made = path.join(work, 'made');
      fs.mkdirSync(made);
      fs.renameSync(binary, path.join(made, 'nats-server'));
      fs.rmSync(final, { recursive: true, force: true });
      fs.renameSync(made, final);
      return file;
    } catch (error) {
      failure = error as Error;
    } finally {
      fs.rmSync(work, { recursive: true, force: true });
      unlock();
    }
  }
  throw failure;
}

function isAtLeast(binary: string, [major, minor]: readonly number[]): boolean {
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  const found = /v(\d+)\.(\d+)/.exec(stdout ?? '');
  if (!found) return false;
  const [own, ownMinor] = [Number(found[1]), Number(found[2])];
  return own > major || (own === major && ownMinor >= minor);
}
