/**
 * A private, current Mesa in a cache folder, without root: the software Vulkan driver (lavapipe), or the drivers of real
 * GPUs with shims for the kernel's side of them, which compile as on these GPUs and execute nothing.
 *
 * Dawn refuses or crawls on the Mesa of most stable distributions; Mesa 26 runs our kernels 5 to 10 times faster than 25.
 * apt downloads it with all that it depends on, C library included, checks the signatures, and nothing of it touches the
 * system: Node is started under the folder's own dynamic linker. About 60 MB to download, 190 MB on disk, 10 s.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { type AptRecipe, aptRecipes, parseListFile, parseOsRelease, parseSourcesFile } from './apt.js';
import { downloadPackages, run } from './apt-download.js';
import { ARCHITECTURES, arrange, type Mesa, type MesaBundle, mesaIn, SOFTWARE_MESA } from './mesa-folder.js';
import { cacheFolder } from './paths.js';

/** Reports progress, one line at a time. */
export type Report = (line: string) => void;

/** Says which recipes could be used on this machine, or in a few words why none can. */
export function mesaRecipes(): AptRecipe[] | string {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux') return 'a private Mesa is only provided on Linux';
  if (!architecture) return `a private Mesa is not provided for ${process.arch}`;
  if (!findOnPath('apt-get') || !findOnPath('dpkg-deb')) return 'this distribution does not use apt';
  const recipes = aptRecipes({
    osRelease: parseOsRelease(readOr('/etc/os-release')),
    sources: readSources(),
    hasFile: fs.existsSync,
    architecture: architecture.name,
  });
  return recipes.length > 0
    ? recipes
    : 'no keyring of Debian or Ubuntu is installed to check signatures with';
}

/** Returns the private Mesa if it is unpacked already. */
export function installedMesa(
  recipes: readonly AptRecipe[],
  bundle: MesaBundle = SOFTWARE_MESA,
): Mesa | undefined {
  for (const { id } of recipes) {
    const mesa = mesaIn(path.join(cacheFolder(), id + bundle.suffix), bundle);
    if (mesa) return mesa;
  }
  return undefined;
}

/**
 * Downloads and unpacks Mesa; `works` tries the result before it takes its final place. Throws an Error that says why not.
 */
export function installMesa(
  recipes: readonly AptRecipe[],
  works: (mesa: Mesa) => string | undefined,
  report: Report,
  bundle: MesaBundle = SOFTWARE_MESA,
): Mesa {
  const cache = cacheFolder();
  try {
    fs.mkdirSync(cache, { recursive: true });
    fs.accessSync(cache, fs.constants.W_OK);
  } catch {
    throw new Error(`the folder ${cache} cannot be written (OSLER_CACHE names another)`);
  }
  removeLeftovers(cache);
  let failure = new Error('there is no recipe for this machine');
  for (const recipe of recipes) {
    const name = recipe.id + bundle.suffix;
    const unlock = lockFolder(path.join(cache, `${name}.lock`), report);
    try {
      // Another process may have done the work while this one waited.
      const done = mesaIn(path.join(cache, name), bundle);
      if (done) return done;
      return install(path.join(cache, name), recipe, works, report, bundle);
    } catch (error) {
      failure = error as Error;
    } finally {
      unlock();
    }
  }
  throw failure;
}

function install(
  final: string,
  recipe: AptRecipe,
  works: (mesa: Mesa) => string | undefined,
  report: Report,
  bundle: MesaBundle,
): Mesa {
  const started = performance.now();
  const work = fs.mkdtempSync(path.join(path.dirname(final), `.${path.basename(final)}.${process.pid}-`));
  try {
    report(`fetching ${bundle.what} (Mesa, ${recipe.release}) from ${recipe.mirror}: 60 MB, once`);
    const archives = downloadPackages(
      path.join(work, 'apt'),
      recipe,
      ARCHITECTURES[process.arch].name,
      bundle.packages,
    );
    report('unpacking');
    const made = path.join(work, 'mesa');
    arrange(unpack(work, archives), made, recipe, archives, bundle);
    const mesa = mesaIn(made, bundle);
    if (!mesa) throw new Error('the packages did not contain the files that were expected');
    const problem = works(mesa);
    if (problem) throw new Error(`the private Mesa does not run here: ${problem}`);
    // What may stand there is damaged, or mesaIn would have taken it.
    fs.rmSync(final, { recursive: true, force: true });
    fs.renameSync(made, final);
    report(`ready after ${((performance.now() - started) / 1000).toFixed(0)} s, kept in ${final}`);
    return mesaIn(final, bundle) as Mesa;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

function unpack(work: string, archives: readonly string[]): string {
  const root = path.join(work, 'root');
  fs.mkdirSync(root);
  // Two at a time: unpacking is bound by decompression, and one package is half of the whole.
  const script = 'printf "%s\\0" "$@" | xargs -0 -P 2 -I{} dpkg-deb -x {} .';
  run('sh', ['-c', script, 'sh', ...archives], work, root);
  return root;
}

/** Fetching takes seconds; a lock this old belongs to a process of another machine or container, or to none. */
const STALE_MS = 10 * 60_000;

function isOld(file: string): boolean {
  const { mtimeMs } = fs.statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs > STALE_MS;
}

/** Waits until no other process installs, then keeps others waiting; returns what ends that. */
export function lockFolder(file: string, report: Report): () => void {
  for (let waited = 0; ; waited++) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    // Two processes that both find a lock stale both install, which costs time and harms nothing.
    if (!isAlive(Number(readOr(file))) || isOld(file)) fs.rmSync(file, { force: true });
    else if (waited === 0) report(`waiting for another process that is fetching the same (${file})`);
    sleep(200);
  }
}

/** Removes what killed processes left behind. */
function removeLeftovers(cache: string): void {
  for (const name of fs.readdirSync(cache)) {
    const pid = /^\.(?:mesa|nats-server)-.*\.(\d+)-\w+$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) fs.rmSync(path.join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readSources() {
  const parts = '/etc/apt/sources.list.d';
  const names = fs.existsSync(parts) ? fs.readdirSync(parts).sort() : [];
  return [
    ...parseListFile(readOr('/etc/apt/sources.list')),
    ...names.flatMap((name) => {
      const text = readOr(path.join(parts, name));
      if (name.endsWith('.list')) return parseListFile(text);
      return name.endsWith('.sources') ? parseSourcesFile(text) : [];
    }),
  ];
}

/** Where a command is on the `PATH`. */
export function findOnPath(command: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return folders.map((folder) => path.join(folder, command)).find((file) => fs.existsSync(file));
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
