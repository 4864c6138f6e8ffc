/**
 * What can go wrong. Each kind disturbs a run and returns what it ended with, or with several; after that the campaign resumes the
 * run undisturbed. `needs` says what only some configs or machines have.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { filesBelow } from './compare.mjs';
import { STEPS } from './configs.mjs';
import { STOPS, wait } from './process.mjs';

const checkpoint = (run, step) => path.join(run, 'checkpoints', `step-${String(step).padStart(6, '0')}`);

/** Starts the run and sends it a signal somewhere between its start and its end. */
async function signalled(at, name) {
  const run = at.start();
  await Promise.race([wait(at.random() * at.length), run.done]);
  run.signal(name);
  return [await run.done];
}

/** A run that has all but its last step behind it. */
function unfinished({ reference, run }) {
  cpSync(reference, run, { recursive: true });
  rmSync(checkpoint(run, STEPS), { recursive: true });
}

/** A file of the checkpoint that a resume takes. */
function someFile({ run, random }) {
  const folder = checkpoint(run, STEPS - 1);
  const names = filesBelow(folder);
  return path.join(folder, names[Math.floor(random() * names.length)]);
}

/** Puts a file system of its own under the run's folder while `body` runs. */
async function mounted({ run }, options, body) {
  mkdirSync(run, { recursive: true });
  mount('-t', 'tmpfs', '-o', options, 'none', run);
  const kept = `${run}-kept`;
  try {
    const ends = await body();
    cpSync(run, kept, { recursive: true });
    return ends;
  } finally {
    spawnSync('umount', ['-l', run]);
    rmSync(run, { recursive: true, force: true });
    cpSync(kept, run, { recursive: true, force: true });
    rmSync(kept, { recursive: true, force: true });
  }
}

function mount(...words) {
  const { status, stderr } = spawnSync('mount', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount: ${stderr}`);
}

/** Takes away the mounts in a folder, if there are any left. */
export function unmountBelow(folder) {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const paths = mounts
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${folder}/`));
  for (const place of paths) spawnSync('umount', ['-l', place]);
}

/** Whether this machine lets us mount. */
export function canMount(folder) {
  mkdirSync(folder, { recursive: true });
  const works = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', folder]).status === 0;
  if (works) spawnSync('umount', [folder]);
  return works;
}

/** By name. */
export const KINDS = {
  kill: { disturb: (at) => signalled(at, 'SIGKILL') },
  stop: {
    disturb: (at) => signalled(at, STOPS[Math.floor(at.random() * STOPS.length)]),
  },
  pause: {
    async disturb(at) {
      const run = at.start();
      await Promise.race([wait(at.random() * at.length), run.done]);
      run.signal('SIGSTOP');
      await wait(500 + at.random() * 1500);
      run.signal('SIGCONT');
      return [await run.done];
    },
  },
  'disk full': {
    needs: 'mounts',
    disturb: (at) =>
      mounted(at, `size=${Math.round(64 + at.random() * at.kilobytes)}k`, async () => [
        await at.start().done,
      ]),
  },
  'read-only': {
    needs: 'mounts',
    disturb: (at) =>
      mounted(at, 'size=1g', async () => {
        const early = at.random() < 0.5;
        if (!early) unfinished(at);
        mount('-o', 'remount,ro', at.run);
        return [await at.start({ resume: !early }).done];
      }),
  },
  'flipped bit': {
    async disturb(at) {
      unfinished(at);
      const file = someFile(at);
      const bytes = readFileSync(file);
      if (bytes.length > 0) bytes[Math.floor(at.random() * bytes.length)] ^= 1 << Math.floor(at.random() * 8);
      writeFileSync(file, bytes);
      return [await at.start({ resume: true }).done];
    },
  },
  truncated: {
    async disturb(at) {
      unfinished(at);
      const file = someFile(at);
      truncateSync(file, Math.floor(at.random() * readFileSync(file).length));
      return [await at.start({ resume: true }).done];
    },
  },
  'device lost': {
    disturb: async (at) => {
      const env = { FAULT_AFTER: String(Math.round(at.random() * at.length * 0.5)) };
      return [await at.start({ preload: './preload-device.mjs', env }).done];
    },
  },
  'clock jumps': { disturb: async (at) => [await at.start({ preload: './preload-clock.mjs' }).done] },
  'two processes': {
    async disturb(at) {
      const resume = at.random() < 0.5;
      if (resume) unfinished(at);
      const first = at.start({ resume });
      await wait(at.random() < 0.5 ? 0 : at.random() * at.length);
      const second = at.start({ resume });
      return Promise.all([first.done, second.done]);
    },
  },
  reward: {
    needs: 'rewards',
    async disturb(at) {
      const wrongs = ['throws', 'rejects', 'text', 'infinite', 'object'];
      const env = { FAULT_REWARD: wrongs[Math.floor(at.random() * wrongs.length)] };
      return [await at.start({ env }).done];
    },
  },
};
