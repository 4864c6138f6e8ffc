/**
 * `node bench/estimators.mjs [--seeds 0,1,2] [--steps 30] [--out FILE]`: GRPO on phantom pictures with each advantage estimator, all
 * else equal, from the demo's checkpoint; accuracy of greedy answers to new questions, before and after, and the mean reward of the last third.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ESTIMATORS = ['group', 'rloo', 'reinforce_plus_plus', 'remax', 'grpo_passk'];
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '0,1,2' },
    steps: { type: 'string', default: '30' },
    out: { type: 'string' },
  },
});
const folder = mkdtempSync(path.join(tmpdir(), 'osler-estimators-'));
const steps = Number(values.steps);
const rows = [];
try {
  for (const seed of values.seeds.split(',').map(Number)) {
    const data = draw('train', 1000 + seed, 240);
    const test = draw('test', 2000 + seed, 120);
    for (const estimator of ESTIMATORS) {
      rows.push(measure(estimator, seed, data, test));
      const { start, end, reward } = rows.at(-1);
      console.log(
        `${estimator}, seed ${seed}: accuracy ${percent(start)} to ${percent(end)}, reward ${reward.toFixed(3)}`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const estimator of ESTIMATORS) {
  const own = rows.filter((row) => row.estimator === estimator);
  const gains = own.map(({ start, end }) => end - start);
  console.log(
    `${estimator}: accuracy +${(100 * mean(gains)).toFixed(1)} points (${gains.map((gain) => (100 * gain).toFixed(1)).join(', ')}), reward ${mean(own.map(({ reward }) => reward)).toFixed(3)}`,
  );
}
if (values.out) writeFileSync(values.out, `${JSON.stringify({ steps, rows }, null, 2)}\n`);

function draw(name, seed, n) {
  const out = path.join(folder, `${name}-${seed}`);
  const look = ['--size', '84', '--difficulty', 'easy', '--wording', 'short'];
  const known = ['CT', 'X-Ray', 'Dermoscopy', 'Fundus', 'OCT', 'Microscopy'];
  osler(
    'phantom',
    '--out',
    out,
    '-n',
    n,
    '--seed',
    seed,
    ...look,
    ...known.flatMap((m) => ['--modality', m]),
  );
  return path.join(out, 'questions.jsonl');
}

function measure(estimator, seed, data, test) {
  const run = path.join(folder, `${estimator}-${seed}`);
  const settings = {
    model_name_or_path: path.join(root, 'recipes', 'demo', 'checkpoint'),
    train_dataset: data,
    eval_dataset: test,
    output_dir: run,
    seed,
    advantage_estimator: estimator,
    max_steps: steps,
    eval_strategy: 'steps',
    eval_steps: steps,
    eval_on_start: true,
    save_strategy: 'no',
    save_only_model: false,
  };
  const set = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  osler('grpo', '--config', path.join(root, 'recipes', 'demo', 'grpo.yaml'), ...set);
  const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
  const accuracies = lines.flatMap((line) => line['eval/accuracy'] ?? []);
  const last = lines.slice(-Math.ceil(steps / 3)).map(({ reward }) => reward);
  rmSync(run, { recursive: true, force: true });
  return { estimator, seed, start: accuracies[0], end: accuracies.at(-1), reward: mean(last) };
}

function osler(...args) {
  const main = path.join(root, 'scripts', 'osler.mjs');
  const { status } = spawnSync(process.execPath, [main, ...args.map(String)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`osler ${args[0]} ended with ${status}`);
}

function mean(list) {
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}
