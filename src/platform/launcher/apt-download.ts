/** Downloads Debian packages with apt, signatures checked, without root and without touching the system's own state. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import type { AptRecipe } from './apt.js';
import { stageSeconds } from './stages.js';

/**
 * Lets apt fetch packages with all that they depend on; returns the files.
 *
 * @param apt - a folder that does not exist yet, for apt's state and what it downloads
 */
export function downloadPackages(
  apt: string,
  recipe: AptRecipe,
  architecture: string,
  packages: readonly string[],
): string[] {
  for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
    fs.mkdirSync(path.join(apt, folder), { recursive: true });
  }
  // An empty list of installed packages makes apt bring the whole closure.
  fs.writeFileSync(path.join(apt, 'status'), '');
  const lines = recipe.suites.map(
    (suite) =>
      `deb [arch=${architecture} signed-by=${recipe.keyring}] ${recipe.mirror} ${suite} ${recipe.components.join(' ')}\n`,
  );
  fs.writeFileSync(path.join(apt, 'sources.list'), lines.join(''));
  // Read after the machine's own configuration, whose proxies and certificates we want and whose hooks we do not.
  const config = path.join(apt, 'apt.conf');
  fs.writeFileSync(config, aptConfiguration(apt, architecture, recipe));
  run('apt-get', ['-c', config, '-q', 'update'], apt);
  run(
    'apt-get',
    ['-c', config, '-q', '-y', '--no-install-recommends', '--download-only', 'install', ...packages],
    apt,
  );
  const archives = path.join(apt, 'cache', 'archives');
  return fs
    .readdirSync(archives)
    .filter((file) => file.endsWith('.deb'))
    .map((file) => path.join(archives, file));
}

function aptConfiguration(apt: string, architecture: string, recipe: AptRecipe): string {
  if (/["\\\n]/.test(apt)) throw new Error(`apt cannot work in a folder of this name: ${apt}`);
  return `
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
APT::Default-Release "${recipe.release}";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "1";
Acquire::http::Timeout "10";
Acquire::https::Timeout "10";
Debug::NoLocking "true";
Dir::State "${apt}/state";
Dir::State::status "${apt}/status";
Dir::Cache "${apt}/cache";
Dir::Cache::archives "archives";
Dir::Etc::sourcelist "${apt}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
`;
}

/** How much longer than other stages of a start may a command take that waits for a network. */
const PATIENCE = 10;

/** Runs a command; throws an Error with its own complaint if it fails. */
export function run(command: string, args: readonly string[], home: string, cwd = home): void {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  const seconds = (stageSeconds() ?? 0) * PATIENCE;
  const { status, error, stderr, stdout } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: Math.ceil(seconds * 1000),
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0) return;
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT')
    throw new Error(`${command} did not end within ${seconds} s; OSLER_START_SECONDS gives it longer`);
  const lines = `${stderr ?? ''}\n${stdout ?? ''}`.split('\n');
  const reason = lines.find((line) => /^(E|Err|dpkg-deb: error|W):?/.test(line)) ?? lines.find(Boolean);
  throw new Error(`${command} failed (${error?.message ?? reason?.trim() ?? `status ${status}`})`);
}
