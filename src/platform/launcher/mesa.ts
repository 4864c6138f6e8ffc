/**
 * A private, current Mesa: the software Vulkan driver (lavapipe) in a cache folder, without root.
 *
 * Dawn refuses or crawls on the Mesa of most stable distributions; Mesa 26 runs our kernels 5 to 10 times faster than 25.
 * apt downloads it with all that it depends on, C library included, checks the signatures, and nothing of it touches the
 * system: Node is started under the folder's own dynamic linker. About 60 MB to download, 190 MB on disk, 10 s.
 */
import * as fs from 'node:fs';
import path from 'node:path';
import { type AptRecipe, aptRecipes, parseListFile, parseOsRelease, parseSourcesFile } from './apt.js';
import { downloadPackages, run } from './apt-download.js';
import { cacheFolder } from './paths.js';

/** An unpacked Mesa. */
export interface Mesa {
  readonly folder: string;
  /** Starts Node under this Mesa's C library and loader; takes Node's arguments. */
  readonly node: string;
  /** What `VK_DRIVER_FILES` must name. */
  readonly icd: string;
}

/** Reports progress, one line at a time. */
export type Report = (line: string) => void;

const PACKAGES = ['mesa-vulkan-drivers', 'libvulkan1', 'libstdc++6'];
/** Debian's architecture names, and where each keeps libraries and the dynamic linker. */
const ARCHITECTURES: Readonly<Record<string, { name: string; triplet: string; linker: string }>> = {
  x64: { name: 'amd64', triplet: 'x86_64-linux-gnu', linker: 'ld-linux-x86-64.so.2' },
  arm64: { name: 'arm64', triplet: 'aarch64-linux-gnu', linker: 'ld-linux-aarch64.so.1' },
};
/** Written last into an unpacked folder: what is in it. */
const MANIFEST = 'osler-mesa.json';

/** Says which recipes could be used on this machine, or in a few words why none can. */
export function mesaRecipes(): AptRecipe[] | string {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux') return 'a private Mesa is only provided on Linux';
  if (!architecture) return `a private Mesa is not provided for ${process.arch}`;
  if (!onPath('apt-get') || !onPath('dpkg-deb')) return 'this distribution does not use apt';
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
export function installedMesa(recipes: readonly AptRecipe[]): Mesa | undefined {
  for (const { id } of recipes) {
    const mesa = mesaIn(path.join(cacheFolder(), id));
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
    const unlock = lock(path.join(cache, `${recipe.id}.lock`), report);
    try {
      // Another process may have done the work while this one waited.
      const done = mesaIn(path.join(cache, recipe.id));
      if (done) return done;
      return install(cache, recipe, works, report);
    } catch (error) {
      failure = error as Error;
    } finally {
      unlock();
    }
  }
  throw failure;
}

function install(
  cache: string,
  recipe: AptRecipe,
  works: (mesa: Mesa) => string | undefined,
  report: Report,
): Mesa {
  const started = performance.now();
  const work = fs.mkdtempSync(path.join(cache, `.${recipe.id}.${process.pid}-`));
  try {
    report(
      `fetching a current software Vulkan driver (Mesa, ${recipe.release}) from ${recipe.mirror}: 60 MB, once`,
    );
    const archives = downloadPackages(
      path.join(work, 'apt'),
      recipe,
      ARCHITECTURES[process.arch].name,
      PACKAGES,
    );
    report('unpacking');
    const made = path.join(work, 'mesa');
    arrange(unpack(work, archives), made, recipe, archives);
    const mesa = mesaIn(made);
    if (!mesa) throw new Error('the packages did not contain the files that were expected');
    const problem = works(mesa);
    if (problem) throw new Error(`the private Mesa does not run here: ${problem}`);
    const final = path.join(cache, recipe.id);
    // What may stand there is damaged, or mesaIn would have taken it.
    fs.rmSync(final, { recursive: true, force: true });
    fs.renameSync(made, final);
    report(`ready after ${((performance.now() - started) / 1000).toFixed(0)} s, kept in ${final}`);
    return mesaIn(final) as Mesa;
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

/** Keeps of the unpacked packages what lavapipe needs, and adds the script that starts Node under them. */
function arrange(root: string, made: string, recipe: AptRecipe, archives: readonly string[]): void {
  const { triplet, linker } = ARCHITECTURES[process.arch];
  fs.mkdirSync(path.join(made, 'bin'), { recursive: true });
  const lib = path.join(made, 'lib');
  fs.renameSync(path.join(root, 'usr', 'lib', triplet), lib);
  for (const file of fs.readdirSync(lib)) {
    // Drivers of real GPUs: half of the folder, and hardware is left to the machine's own drivers.
    if (/^lib(vulkan|VkLayer)_(?!lvp\.so)\w+\.so$/.test(file)) fs.rmSync(path.join(lib, file));
  }
  const icds = path.join(root, 'usr', 'share', 'vulkan', 'icd.d');
  const icdName = fs.readdirSync(icds).find((file) => /^lvp_icd.*\.json$/.test(file)) ?? 'lvp_icd.json';
  const icd = JSON.parse(fs.readFileSync(path.join(icds, icdName), 'utf8'));
  // A bare name, found through the linker's library path wherever this folder lies.
  icd.ICD.library_path = 'libvulkan_lvp.so';
  fs.writeFileSync(path.join(made, 'lvp_icd.json'), JSON.stringify(icd));
  fs.writeFileSync(path.join(made, 'bin', 'node'), nodeScript(linker), { mode: 0o755 });
  fs.writeFileSync(path.join(made, 'exec-path.cjs'), EXEC_PATH);
  const packages = archives.map((file) => path.basename(file, '.deb')).sort();
  const manifest = { recipe: recipe.id, mirror: recipe.mirror, packages };
  fs.writeFileSync(path.join(made, MANIFEST), JSON.stringify(manifest, null, 2));
}

function nodeScript(linker: string): string {
  return `#!/bin/sh
# Node under the C library and the Vulkan loader of this folder. OSLER_NODE names the Node binary.
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd) || exit 127
node=\${OSLER_NODE:-$(command -v node)}
exec "$here/lib/${linker}" --library-path "$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" --argv0 "$0" \\
  "$node" --require "$here/exec-path.cjs" "$@"
`;
}

/** Under an explicit linker Node takes the linker for itself; child_process.fork and worker pools start execPath. */
const EXEC_PATH = `'use strict';
process.execPath = process.argv[0] = require('node:path').join(__dirname, 'bin', 'node');
const at = process.execArgv.indexOf(__filename);
if (at > 0) process.execArgv.splice(at - 1, 2);
`;

function mesaIn(folder: string): Mesa | undefined {
  const { linker } = ARCHITECTURES[process.arch];
  const files = [
    MANIFEST,
    'bin/node',
    'exec-path.cjs',
    'lvp_icd.json',
    `lib/${linker}`,
    'lib/libvulkan_lvp.so',
  ];
  if (!files.every((file) => fs.existsSync(path.join(folder, file)))) return undefined;
  return { folder, node: path.join(folder, 'bin', 'node'), icd: path.join(folder, 'lvp_icd.json') };
}

/** Waits until no other process installs, then keeps others waiting; returns what ends that. */
/** Fetching takes seconds; a lock this old belongs to a process of another machine or container, or to none. */
const STALE_MS = 10 * 60_000;

function isOld(file: string): boolean {
  const { mtimeMs } = fs.statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs > STALE_MS;
}

function lock(file: string, report: Report): () => void {
  for (let waited = 0; ; waited++) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    // Two processes that both find a lock stale both install, which costs time and harms nothing.
    if (!isAlive(Number(readOr(file))) || isOld(file)) fs.rmSync(file, { force: true });
    else if (waited === 0) report(`waiting for another process that is fetching the driver (${file})`);
    sleep(200);
  }
}

/** Removes what killed processes left behind. */
function removeLeftovers(cache: string): void {
  for (const name of fs.readdirSync(cache)) {
    const pid = /^\.mesa-.*\.(\d+)-\w+$/.exec(name)?.[1];
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

function onPath(command: string): boolean {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return folders.some((folder) => fs.existsSync(path.join(folder, command)));
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
