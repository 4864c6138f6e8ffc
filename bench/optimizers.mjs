/**
 * `node bench/optimizers.mjs [--seeds 0,1,2] [--steps 200] [--batch 32] [--out FILE]`: the demo's SFT with each optimizer and
 * several seeds, all with weights in bf16, from the same start on the same data. Prints the mean loss of the last quarter of the
 * steps; what an optimizer changes must be within what another seed changes. Exit code 1 otherwise. Takes minutes for each run.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawDemoData } from '../dist/demo/data.js';
import '../dist/platform/node/install.js';
import { parseYamlFile } from '../dist/train/config/index.js';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const recipes = path.join(root, 'recipes', 'demo');
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '0,1,2' },
    steps: { type: 'string', default: '200' },
    batch: { type: 'string', default: '32' },
    out: { type: 'string' },
  },
});

/** What is compared; the first is what the others are compared with. */
const SETTINGS = {
  adamw_torch: ['optim=adamw_torch'],
  adamw_8bit: ['optim=adamw_8bit'],
  adamw_bf16: ['optim=adamw_bf16'],
  'adamw_bf16, in the backward pass': ['optim=adamw_bf16', 'optimizer_in_backward=true', 'max_grad_norm=0'],
};

const folder = mkdtempSync(path.join(tmpdir(), 'osler-optimizers-'));
const losses = Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, []]));
try {
  const file = path.join(recipes, 'grpo.yaml');
  const { prompt_template: template, system_prompt: system } = parseYamlFile(
    file,
    readFileSync(file, 'utf8'),
  );
  // One set of data, so that seeds differ in nothing but the order.
  const draw = { seed: 0, short: false };
  const data = await drawDemoData(path.join(folder, 'data'), draw, { template, system }, () => {});
  for (const seed of values.seeds.split(',')) {
    for (const [name, settings] of Object.entries(SETTINGS)) {
      const loss = train(data.notes, seed, settings);
      losses[name].push(loss);
      console.log(`seed ${seed}, ${name}: ${loss.toFixed(4)}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const [base, ...others] = Object.values(losses);
const noise = Math.max(...base) - Math.min(...base);
const names = Object.keys(SETTINGS).slice(1);
let holds = true;
others.forEach((list, i) => {
  const difference = mean(list.map((loss, k) => loss - base[k]));
  const within = Math.abs(difference) <= noise;
  holds &&= within;
  console.log(
    `${names[i]}: ${difference.toFixed(4)} beside adamw_torch; seeds differ by ${noise.toFixed(4)}${within ? '' : '  DOES NOT HOLD'}`,
  );
});
if (values.out) {
  const result = { seeds: values.seeds, steps: Number(values.steps), batch: Number(values.batch), losses };
  writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
}
process.exitCode = holds ? 0 : 1;

function mean(list) {
  return list.reduce((a, b) => a + b, 0) / list.length;
}

/** The mean loss of a run's last quarter. */
function train(notes, seed, settings) {
  const run = path.join(folder, 'run');
  const set = [
    ...[
      `model_name_or_path=${path.join(recipes, 'checkpoint')}`,
      `train_dataset=${notes}`,
      `output_dir=${run}`,
    ],
    ...[
      'overwrite_output_dir=true',
      `seed=${seed}`,
      `max_steps=${values.steps}`,
      `per_device_train_batch_size=${values.batch}`,
      'dtype=bfloat16',
      ...settings,
    ],
  ];
  const { status } = spawnSync(
    process.execPath,
    [
      path.join(root, 'scripts', 'osler.mjs'),
      ...['sft', '--config', path.join(recipes, 'sft.yaml'), ...set.flatMap((setting) => ['--set', setting])],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (status !== 0) throw new Error(`a run with seed ${seed} and ${settings.join(' ')} ended with ${status}`);
  const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const steps = lines.map((line) => JSON.parse(line).loss);
  return mean(steps.slice(-Math.ceil(steps.length / 4)));
}
