/**
 * `node scripts/test-package.mjs [--full]`: what somebody meets who installs Osler as a package. Packs it, installs it in an
 * empty folder with an empty home, and there runs `osler doctor`, `osler demo` and the README's taste of the engine.
 *
 * To take a minute, it uses this machine's caches of npm and of the software driver and the demo is `--short`. With `--full`
 * everything is fetched anew and the demo is the whole one.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { root } from './lib/checkout.mjs';

const full = process.argv.includes('--full');
const windows = process.platform === 'win32';
const work = fs.mkdtempSync(path.join(tmpdir(), 'osler-package-'));
const home = path.join(work, 'home');
const place = path.join(work, 'place');
for (const folder of [home, place]) fs.mkdirSync(folder);
let failed = 0;

/** npm passes its own settings, and where it was started, to what it runs: none of that is a newcomer's. */
const outside = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|OSLER_|LP_NATIVE)/i.test(name)),
);
const shared = {
  npm_config_cache: run('npm', ['config', 'get', 'cache'], { cwd: root }).stdout.trim(),
  npm_config_prefer_offline: 'true',
  OSLER_CACHE:
    process.env.OSLER_CACHE ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'osler'),
};
const env = { ...outside, HOME: home, USERPROFILE: home, XDG_CACHE_HOME: '', ...(full ? {} : shared) };

try {
  const tarball = pack();
  step('npm install', 'npm', ['install', tarball]);
  step('osler doctor', 'npx', ['osler', 'doctor'], /adapter/i);
  step(
    'osler demo',
    'npx',
    ['osler', 'demo', ...(full ? [] : ['--short'])],
    /every reasoning trace: .*report\.html/,
  );
  fs.writeFileSync(path.join(place, 'taste.mjs'), taste());
  step('the taste of the engine', process.execPath, ['taste.mjs'], /^13\.800/m);
  fs.writeFileSync(path.join(place, 'taste.mts'), taste().replace('w.grad.', 'w.grad!.'));
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--module', 'nodenext', '--target', 'es2023', '--strict', '--noEmit'];
  step('its types', process.execPath, [tsc, ...flags, 'taste.mts']);
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;

/** Packs the package, says its size and refuses what should not be in it; returns the file. */
function pack() {
  const { status, stdout, stderr } = run('npm', ['pack', '--silent', '--json', '--pack-destination', work], {
    cwd: root,
  });
  if (status !== 0) throw new Error(`npm pack failed:\n${stderr}`);
  const [{ filename, size, unpackedSize, files }] = JSON.parse(stdout);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(`${filename}: ${megabytes(size)}, ${megabytes(unpackedSize)} unpacked, ${files.length} files`);
  const strangers = files.filter(
    ({ path: file, size: bytes }) =>
      /\.(test|spec)\.|\.map$|(^|\/)(test-|\.)/.test(file) ||
      (bytes > 1e6 && file !== 'recipes/demo/checkpoint/model.safetensors'),
  );
  for (const { path: file, size: bytes } of strangers) {
    console.error(`${file} (${megabytes(bytes)}) should not be in the package: see "files" in package.json`);
  }
  failed += strangers.length;
  return path.join(work, filename);
}

/** The program in the README that imports the package. */
function taste() {
  const blocks = fs.readFileSync(path.join(root, 'README.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g);
  const found = [...blocks].map(([, code]) => code).find((code) => code.includes("from 'osler'"));
  if (!found) throw new Error("README.md has no program that imports from 'osler'");
  return found;
}

/** Runs a command where the package was installed. */
function step(name, command, args, expected = /^/) {
  const start = performance.now();
  const { status, stdout, stderr, error } = run(command, args, { cwd: place, env });
  const good = status === 0 && expected.test(stdout);
  console.log(`${good ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
  if (good) return;
  failed++;
  console.error(
    `${stdout}\n${stderr}\n${error?.message ?? `exit code ${status}, expected output like ${expected}`}`,
  );
}

function run(command, args, options) {
  return spawnSync(command, args, {
    encoding: 'utf8',
    shell: windows && command !== process.execPath,
    ...options,
  });
}
