/**
 * One run by two workers, in which 20 times something is killed at random: a worker, the server, or the leader, which is then
 * resumed. It ends as a run by one process, byte for byte, or the exit code is 1. A line a kill, and one at the end.
 *
 *     node bench/cluster.mjs [--kills 20] [--steps 60] [--seed 1] [--json FILE]
 *
 * Linux only: it finds whom to kill in /proc.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { difference } from './faults/compare.mjs';
import { prepare } from './faults/configs.mjs';
import { osler, wait } from './faults/process.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    steps: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
/** What command lines have of whom to kill; the leader is known. */
const VICTIMS = ['worker', 'nats-server', 'leader'];
/** Milliseconds between kills, at least and at most. */
const PAUSE = [500, 4000];

let state = Number(values.seed) >>> 0;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** Processes below one, however deep, by a word of their command lines. */
function below(ancestor, word) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      parents.set(
        Number(name),
        Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))[1]),
      );
    } catch {
      // It has ended.
    }
  }
  const isBelow = (pid) => pid === ancestor || (parents.has(pid) && isBelow(parents.get(pid)));
  return [...parents.keys()].filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return (
        pid !== ancestor && isBelow(pid) && words.some((one) => one === word || one.endsWith(`/${word}`))
      );
    } catch {
      return false;
    }
  });
}

function start(dir, run, words) {
  const set = [
    `output_dir=${run}`,
    `max_steps=${values.steps}`,
    'rollout_units=2',
    'gradient_accumulation_steps=2',
  ];
  const settings = [...set, 'per_device_train_batch_size=2', 'learning_lanes=2'].flatMap((one) => [
    '--set',
    one,
  ]);
  const config = path.join(dir, 'grpo-lora-float32.yaml');
  const child = spawn(process.execPath, [osler, 'grpo', '--config', config, ...settings, ...words], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const done = new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  return { pid: child.pid, done, end };
}

const dir = mkdtempSync(path.join(tmpdir(), 'osler-cluster-'));
const [alone, shared] = [path.join(dir, 'alone'), path.join(dir, 'shared')];
const killed = [];
let leader;
let problem;
try {
  await prepare(dir);
  const undisturbed = await start(dir, alone, []).done;
  if (undisturbed.code !== 0) throw new Error(undisturbed.said);
  const begun = performance.now();
  let code = null;
  let said = '';
  const lead = (words) => {
    leader = start(dir, shared, ['--workers', '2', ...words]);
    const own = leader;
    own.done.then((result) => {
      said = result.said;
      if (leader === own) ({ code } = result);
    });
  };
  lead([]);
  const hasCheckpoint = () =>
    existsSync(path.join(shared, 'checkpoints')) && readdirSync(path.join(shared, 'checkpoints')).length > 0;
  while (code === null && !hasCheckpoint()) await wait(50);
  while (code === null) {
    await wait(PAUSE[0] + random() * (PAUSE[1] - PAUSE[0]));
    if (code !== null || killed.length >= Number(values.kills)) continue;
    const victim = VICTIMS[Math.floor(random() * VICTIMS.length)];
    const own = leader;
    const found = below(own.pid, victim === 'leader' ? 'worker' : victim);
    if (found.length === 0) continue;
    if (victim === 'leader') {
      leader = null;
      own.end();
      await own.done;
      lead(['--resume']);
    } else {
      process.kill(found[Math.floor(random() * found.length)], 'SIGKILL');
    }
    killed.push(victim);
    console.log(
      `${((performance.now() - begun) / 1000).toFixed(1)} s: killed a ${victim} (${killed.length})`,
    );
  }
  if (code !== 0) problem = `the run ended with ${code}: ${said}`;
  else problem = difference(alone, shared, Number(values.steps));
  if (!problem && killed.length < Number(values.kills))
    problem = `it ended after ${killed.length} kills; give --steps`;
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(problem ?? `${killed.length} kills in ${seconds} s, and the bytes of a run by itself`);
  if (values.json) {
    const machine = { cpu: cpus()[0].model, cores: cpus().length, node: process.version };
    const record = {
      machine,
      seed: Number(values.seed),
      steps: Number(values.steps),
      seconds,
      killed,
      problem: problem ?? null,
    };
    writeFileSync(values.json, `${JSON.stringify(record, null, 2)}\n`);
  }
} finally {
  leader?.end();
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = problem ? 1 : 0;
