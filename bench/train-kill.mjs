/**
 * Kills training runs at random instants, resumes them, and compares them with a run that nobody disturbed.
 *
 *     node bench/train-kill.mjs [--task sft] [--kills 20] [--seed 1]
 *
 * Every run is `osler sft` or `osler grpo` in a process of its own, ended by SIGKILL. A run that gets to its end must have the
 * logs (but for times and memory) and the last checkpoint of the undisturbed run, byte for byte. Exit code 1 if one differs.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const osler = fileURLToPath(new URL('../scripts/osler.mjs', import.meta.url));
const { values } = parseArgs({
  options: {
    task: { type: 'string', default: 'sft' },
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
  },
});
const { task } = values;
const STEPS = 12;
const dir = mkdtempSync(path.join(tmpdir(), 'osler-kill-'));

/** Numbers that are random enough, and the same for the same seed. */
let state = Number(values.seed) >>> 0;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** What random models are rewarded for. */
const REWARD =
  'export default ({ completionIds: ids }) => ids.filter((id) => id % 2 === 0).length / ids.length;\n';

/** Settings of the tasks; a round of rollouts serves four steps, so that most kills fall inside of one. */
const SETTINGS = {
  sft: {
    eval_fraction: 0.2,
    eval_strategy: 'steps',
    eval_steps: 5,
    metric_for_best_model: 'loss',
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 2,
  },
  grpo: {
    prompt_template: '{Question}',
    rewards: [{ name: 'module', path: 'reward.mjs' }],
    num_generations: 4,
    per_device_train_batch_size: 4,
    gradient_accumulation_steps: 2,
    steps_per_generation: 4,
    num_iterations: 2,
    max_completion_length: 12,
    beta: 0.04,
  },
};

async function writeData() {
  const lines = [];
  for (let i = 0; i < 12; i++) {
    const background = { r: 20 * i, g: 128, b: 255 - 20 * i };
    await sharp({ create: { width: 56, height: 56, channels: 3, background } })
      .png()
      .toFile(path.join(dir, `${i}.png`));
    const content = [
      { type: 'image', image: `${i}.png` },
      { type: 'text', text: `Which shade is ${i}?` },
    ];
    const messages = [
      { role: 'user', content },
      { role: 'assistant', content: `Shade ${20 * i}.` },
    ];
    const question = { question: `Shade ${i}?`, options: { A: 'dark', B: 'light' }, answer: 'A' };
    const sample = task === 'sft' ? { messages } : { image: `${i}.png`, ...question };
    lines.push(JSON.stringify({ id: `${i}`, ...sample }));
  }
  writeFileSync(path.join(dir, 'train.jsonl'), `${lines.join('\n')}\n`);
  const config = {
    model_name_or_path: path.join(dir, 'model'),
    train_dataset: path.join(dir, 'train.jsonl'),
    ...SETTINGS[task],
    output_dir: 'given by --set',
    system_prompt: 'x',
    learning_rate: 1e-3,
    max_steps: STEPS,
    save_steps: 2,
    save_total_limit: 2,
    logging_steps: 1,
  };
  // JSON is YAML.
  writeFileSync(path.join(dir, 'run.yaml'), JSON.stringify(config));
  writeFileSync(path.join(dir, 'reward.mjs'), REWARD);
}

function command(run, resume) {
  const set = ['--set', `output_dir=${run}`];
  return [osler, task, '--config', path.join(dir, 'run.yaml'), ...set, ...(resume ? ['--resume'] : [])];
}

/** Runs to the end, or until `delay` milliseconds after training began; true if it got to its end. */
function train(run, resume, delay) {
  return new Promise((resolve, reject) => {
    // A group of its own, as the launcher may start the program once more below itself.
    const child = spawn(process.execPath, command(run, resume), {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    let timer;
    child.stderr.on('data', (text) => {
      output += text;
      if (timer || delay === undefined || !/memory plan/.test(output)) return;
      timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), delay);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(true);
      else if (signal === 'SIGKILL' || delay !== undefined) resolve(false);
      else reject(new Error(`osler ${task} failed:\n${output}`));
    });
  });
}

function metrics(run) {
  const machine = /^(time\/|memory\/|step_time$|tokens_per_second$)/;
  const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) =>
    JSON.stringify(Object.entries(JSON.parse(line)).filter(([name]) => !machine.test(name))),
  );
}

function completions(run) {
  return task === 'sft' ? '' : readFileSync(path.join(run, 'completions.jsonl'), 'utf8');
}

function files(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return entries.map((entry) => path.join(entry.parentPath, entry.name).slice(folder.length)).sort();
}

/** What differs between two finished runs; nothing if they are equal. */
function difference(a, b) {
  if (metrics(a).join('\n') !== metrics(b).join('\n')) return 'metrics.jsonl';
  if (completions(a) !== completions(b)) return 'completions.jsonl';
  const last = path.join('checkpoints', `step-${String(STEPS).padStart(6, '0')}`);
  const [first, second] = [path.join(a, last), path.join(b, last)];
  if (files(first).join() !== files(second).join()) return 'the files of the last checkpoint';
  return files(first).find(
    (name) => !readFileSync(path.join(first, name)).equals(readFileSync(path.join(second, name))),
  );
}

async function main() {
  const init = ['init', '--arch', 'tiny-qwen2-vl', '--seed', '0', '--out', path.join(dir, 'model')];
  spawnSync(process.execPath, [osler, ...init], { stdio: 'inherit' });
  await writeData();
  const whole = path.join(dir, 'whole');
  const began = performance.now();
  await train(whole, false);
  const length = performance.now() - began;
  let kills = 0;
  let differing = 0;
  for (let i = 0; kills < Number(values.kills); i++) {
    const run = path.join(dir, `run-${i}`);
    let finished = await train(run, false, length * random());
    while (!finished) {
      kills++;
      finished = await train(run, true, kills < Number(values.kills) ? length * random() : undefined);
    }
    differing += report(run, whole, `${kills} kills so far`);
  }
  console.log(
    `${kills} kills; ${differing === 0 ? 'all runs equal the undisturbed one' : `${differing} runs differ`}`,
  );
  process.exitCode = differing === 0 ? 0 : 1;
}

function report(run, whole, what) {
  const found = difference(whole, run);
  console.log(`${path.basename(run)}: ${found ? `DIFFERS in ${found}` : 'equal'} (${what})`);
  return found ? 1 : 0;
}

try {
  await main();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
