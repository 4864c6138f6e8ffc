/**
 * The machines that `scripts/test-machines.mjs` stands in for. Each row has a name, what it is, and `prepare`, which returns
 * `{command, env}`, or says in a few words why this machine cannot stand in for it. A command runs the tests and writes
 * `OSLER_TEST_REPORT`; a row that does something else has `judge`, which reads its output.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { installedDrivers, searchedFolders } from '../../dist/platform/launcher/installed.js';
import { vectorWidth } from '../../dist/platform/launcher/plan.js';
import { root } from './checkout.mjs';
import { fetchSwiftShader } from './swiftshader.mjs';

const TESTS = [process.execPath, path.join(root, 'scripts', 'test.mjs')];
const DOCTOR = [process.execPath, path.join(root, 'scripts', 'osler.mjs'), 'doctor'];

const cpuinfo = fs.existsSync('/proc/cpuinfo') ? fs.readFileSync('/proc/cpuinfo', 'utf8') : '';
const widest = vectorWidth(cpuinfo) ?? '128';
const tests = (env, ...prefix) => ({ command: [...prefix, ...TESTS], env });

export const MACHINES = [
  {
    name: '128',
    what: 'vectors of 128 bits: processors without AVX2',
    prepare: () => tests({ LP_NATIVE_VECTOR_WIDTH: '128' }),
  },
  {
    name: '256',
    what: 'vectors of 256 bits and matrix units: most processors',
    prepare: () => tests({ LP_NATIVE_VECTOR_WIDTH: '256' }),
  },
  {
    name: '512',
    what: 'vectors of 512 bits: processors with AVX-512',
    prepare: () =>
      widest === '512' ? tests({ LP_NATIVE_VECTOR_WIDTH: '512' }) : 'this processor has no AVX-512',
  },
  {
    name: 'one-core',
    what: 'one core, on which llvmpipe has no threads of its own',
    prepare: () =>
      works('taskset', '-c', firstCore(), 'true')
        ? tests({ LP_NATIVE_VECTOR_WIDTH: widest, LP_NUM_THREADS: '0' }, 'taskset', '-c', firstCore())
        : 'taskset, which holds a process on one core, is not here',
  },
  ...['base', 'f16', 'subgroups'].map((tier) => ({
    name: `tier-${tier}`,
    what: `an adapter whose best tier is ${tier}`,
    prepare: () => tests({ LP_NATIVE_VECTOR_WIDTH: widest, OSLER_TIER: tier }),
  })),
  {
    name: 'tier-matrix',
    what: 'the tier of matrix units alone',
    prepare: () => tests({ LP_NATIVE_VECTOR_WIDTH: '256', OSLER_TIER: 'subgroup-matrix' }),
  },
  {
    name: 'swiftshader',
    what: "Chromium's software Vulkan, another compiler and another libm",
    prepare: () => {
      const found = installedDrivers().find(({ name }) => name.startsWith('SwiftShader'));
      const driver = found?.env ?? fetchSwiftShader();
      return typeof driver === 'string' ? driver : tests(driver);
    },
  },
  {
    name: 'no-apt',
    what: 'no apt to fetch a driver with: osler doctor finds one or says what to install',
    prepare: (folder) => ({ command: DOCTOR, env: withoutApt(folder) }),
    judge: (output, status) => (status === 0 ? /^adapter /m.test(output) : saysWhatToInstall(output)),
  },
  {
    name: 'no-driver',
    what: 'neither apt nor a driver: tests that need one say in a sentence what to install',
    prepare: (folder) => {
      const found = searchedFolders().filter((dir) => fs.existsSync(dir));
      const hide = found.map((dir) => `mount -t tmpfs none '${dir}' && `).join('');
      const apart = ['unshare', '--map-root-user', '--mount', 'sh', '-c', `${hide}exec "$@"`, 'sh'];
      if (!works(...apart, 'true')) return 'folders with drivers cannot be hidden from a process here';
      return { command: [...apart, ...TESTS, 'kernels-tests/gpu.test.ts'], env: withoutApt(folder) };
    },
    judge: (output, status) =>
      status === 1 && saysWhatToInstall(output) && output.endsWith('0 passed, 1 failed, 0 skipped\n'),
  },
];

function works(...[command, ...args]) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function firstCore() {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(status)?.[1] ?? '0';
}

/** A PATH with all but apt, no driver that was fetched before, and no settings of the user. */
function withoutApt(folder) {
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin);
  for (const dir of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const name of fs.existsSync(dir) ? fs.readdirSync(dir) : []) {
      const link = path.join(bin, name);
      if (!/^(apt|dpkg)/.test(name) && !fs.existsSync(link)) fs.symlinkSync(path.join(dir, name), link);
    }
  }
  return { PATH: bin, HOME: folder, OSLER_CACHE: path.join(folder, 'cache') };
}

/** One sentence of ours, and no stack trace. */
function saysWhatToInstall(output) {
  const sentences = output.match(/^osler: no GPU and no software Vulkan driver was found .*; install .*$/gm);
  return sentences?.length === 1 && !/^\s+at /m.test(output);
}
