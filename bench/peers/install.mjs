// Installs the peers into this folder, only when asked for and only when missing.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** Names of the peers in package.json that are missing or have another version than the one asked for. */
export function missingPeers() {
  const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  return Object.entries(dependencies)
    .filter(([name, version]) => {
      const manifest = join(here, 'node_modules', name, 'package.json');
      return !existsSync(manifest) || JSON.parse(readFileSync(manifest, 'utf8')).version !== version;
    })
    .map(([name]) => name);
}

/** Runs `npm ci` here when a peer is missing. `webgpu` itself comes from the root, so that all share one Dawn. */
export function installPeers() {
  const missing = missingPeers();
  if (missing.length === 0) return;
  console.log(`installing the benchmark's peers (${missing.join(', ')}), about 470 MB on disk ...`);
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) installPeers();
