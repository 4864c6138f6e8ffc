/**
 * Keeps a checkout ready to run: dependencies installed as package-lock.json says, dist/ built from src/ as it is now.
 * Uses Node built-ins only, because it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { shaderModule } from './shader-texts.mjs';

/** The root folder of the checkout. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

const at = (...parts) => path.join(root, ...parts);

/** Installs a folder's dependencies when node_modules is absent or does not hold what package-lock.json asks for. */
export function ensureInstalled(folder = root) {
  const missing = missingPackage(folder);
  if (!missing) return;
  console.error(`osler: installing dependencies (${missing})`);
  const npm = process.env.npm_execpath;
  const [command, args] = npm?.endsWith('.js') ? [process.execPath, [npm, 'ci']] : ['npm', ['ci']];
  const run = spawnSync(command, args, {
    cwd: folder,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (run.status !== 0) {
    console.error('osler: `npm ci` failed; the lines above say why.');
    process.exit(1);
  }
}

/** Compares the lock file with npm's own record of what it installed; returns what differs, if anything does. */
function missingPackage(folder) {
  const wanted = JSON.parse(fs.readFileSync(path.join(folder, 'package-lock.json'), 'utf8')).packages;
  let installed;
  try {
    installed = JSON.parse(
      fs.readFileSync(path.join(folder, 'node_modules', '.package-lock.json'), 'utf8'),
    ).packages;
  } catch {
    return 'node_modules is absent';
  }
  for (const [where, { version, optional, devOptional, peer }] of Object.entries(wanted)) {
    // Optional packages are for one platform each; npm leaves the others out.
    if (where === '' || optional || devOptional || peer) continue;
    if (installed[where]?.version !== version) return `${where} is not at ${version}`;
  }
  return undefined;
}

/**
 * Builds dist/ if src/ changed since it was last built. Types are not checked here (`npm run check` does), so that a type
 * error in a file at hand does not stop a test of another.
 */
export function ensureBuilt() {
  const stamp = fingerprint();
  if (readOr(at('dist', '.stamp')) === stamp) return;
  build(['--noCheck'], stamp);
}

/** Builds dist/ with type checks, whether it is stale or not; returns whether all was well. */
export function buildChecked() {
  return build([], fingerprint());
}

/**
 * Compiles into a fresh folder, then moves each changed file into dist/ by rename: a process that runs from dist/ at that
 * moment, or a second build, never sees half a file.
 */
function build(flags, stamp) {
  const fresh = at('node_modules', '.cache', `osler-build-${process.pid}`);
  try {
    const ok = compile(at('tsconfig.json'), fresh, flags);
    const pageOk = bundlePage(path.join(fresh, 'report', 'page'), flags);
    // Benchmarks import the engine as #osler/..., which tsconfig.check.json checks; here they are only translated,
    // and imports are not followed: a file outside of bench/ would be written beside its source.
    const benchOk = compile(at('bench', 'tsconfig.json'), path.join(fresh, 'bench'), [
      '--noCheck',
      '--noResolve',
    ]);
    writeShaders(path.join(fresh, 'platform', 'browser'));
    if (!fs.existsSync(fresh)) {
      console.error('osler: the build wrote nothing; the lines above say why.');
      process.exit(1);
    }
    const files = new Set(listFiles(fresh));
    for (const file of files) {
      const [from, to] = [path.join(fresh, file), at('dist', file)];
      if (readOr(to) === fs.readFileSync(from, 'utf8')) continue;
      fs.mkdirSync(path.dirname(to), { recursive: true });
      fs.renameSync(from, to);
    }
    for (const file of listFiles(at('dist')))
      if (!files.has(file)) fs.rmSync(at('dist', file), { force: true });
    const main = at('dist', 'cli', 'main.js');
    if (fs.existsSync(main)) fs.chmodSync(main, 0o755);
    // Only now: an interrupted build leaves no stamp, or an old one.
    if (ok && pageOk && benchOk) fs.writeFileSync(at('dist', '.stamp'), stamp);
    return ok && pageOk && benchOk;
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
}

function compile(project, outDir, flags) {
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', project, '--outDir', outDir, ...flags];
  return spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] }).status === 0;
}

/** The module that holds `shaders/` for pages, and its declaration, which tsc does not copy. */
function writeShaders(outDir) {
  if (!fs.existsSync(outDir)) return;
  fs.writeFileSync(path.join(outDir, 'shader-texts.js'), shaderModule());
  const declaration = 'shader-texts.d.ts';
  fs.copyFileSync(at('src', 'platform', 'browser', declaration), path.join(outDir, declaration));
}

/** The script and style of the report's page: one file each, with all that they import. */
function bundlePage(outDir, flags) {
  const checked =
    flags.includes('--noCheck') || compile(at('src', 'report', 'page', 'tsconfig.json'), outDir, []);
  const bundle = spawnSync(process.execPath, [at('scripts', 'lib', 'bundle-page.mjs'), outDir], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  return checked && bundle.status === 0;
}

/** What dist/ depends on: names, sizes and times of the sources, and the compiler's settings and version. */
function fingerprint() {
  const hash = createHash('sha256');
  const sources = listFiles(at('src')).map((file) => path.join('src', file));
  const benches = fs.readdirSync(at('bench')).map((file) => path.join('bench', file));
  const shaders = listFiles(at('shaders')).map((file) => path.join('shaders', file));
  const files = [...sources, ...benches, ...shaders].filter(
    (file) => /\.(tsx?|css|wgsl)$/.test(file) && !file.endsWith('.test.ts'),
  );
  for (const file of files.sort()) {
    const { size, mtimeMs } = fs.statSync(at(file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  hash.update(fs.readFileSync(at('tsconfig.json')));
  hash.update(fs.readFileSync(at('node_modules', 'typescript', 'package.json')));
  return hash.digest('hex');
}

function listFiles(folder) {
  if (!fs.existsSync(folder)) return [];
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => e.isFile())
    .map((e) => path.relative(folder, path.join(e.parentPath ?? e.path, e.name)));
}

function readOr(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
