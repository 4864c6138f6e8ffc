/**
 * Trains a tiny model for very many steps, then asks a server very many things, and watches whether memory, open files and
 * compiled kernels stay where they were.
 *
 *     node bench/soak.mjs [--steps 10000] [--task sft|grpo] [--requests 10000] [--only train,serve] [--out FILE]
 *
 * A process may settle during its first quarter. After that its peak in the last quarter must not be over that of the second
 * by more than a twentieth and 32 MiB of memory, 4 files, or any kernel. Exit code 1 otherwise. Linux only: it reads /proc.
 */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const osler = fileURLToPath(new URL('../scripts/osler.mjs', import.meta.url));
const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '10000' },
    task: { type: 'string', default: 'sft' },
    requests: { type: 'string', default: '10000' },
    only: { type: 'string', default: 'train,serve' },
    out: { type: 'string' },
  },
});
/** Settings of the tasks. */
const SETTINGS = {
  sft: { per_device_train_batch_size: 2 },
  grpo: {
    rewards: ['format', 'accuracy'],
    num_generations: 4,
    per_device_train_batch_size: 4,
    max_completion_length: 8,
  },
};

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'osler-soak-'));
const model = path.join(dir, 'model');
const questions = path.join(dir, 'questions');
run('phantom', '--out', questions, '-n', '64', '--size', '56', '--wording', 'short');
const dataset = path.join(questions, 'questions.jsonl');
run('init', '--arch', 'tiny', '--text', dataset, '--out', model);

const results = {};
if (values.only.includes('train')) results.train = await soakTraining(Number(values.steps));
if (values.only.includes('serve')) results.serve = await soakServer(Number(values.requests));
fs.rmSync(dir, { recursive: true });
for (const [name, { amount, seconds, ...watched }] of Object.entries(results)) {
  console.log(`${name}: ${amount} in ${seconds} s`);
  for (const [what, { first, last, ok }] of Object.entries(watched)) {
    console.log(`  ${what}: ${first} in the second quarter, ${last} in the last: ${ok ? 'flat' : 'GREW'}`);
    if (!ok) process.exitCode = 1;
  }
}
if (values.out) fs.writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`);

function run(...args) {
  const { status, stderr } = spawnSync(process.execPath, [osler, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`osler ${args[0]}: ${stderr}`);
}

/** Steps, logs and checkpoints, again and again. */
async function soakTraining(steps) {
  const config = path.join(dir, 'run.yaml');
  const settings = {
    model_name_or_path: model,
    train_dataset: dataset,
    output_dir: path.join(dir, 'run'),
    ...SETTINGS[values.task],
    learning_rate: 1e-6,
    max_steps: steps,
    save_steps: 500,
    save_total_limit: 2,
    logging_steps: 1,
  };
  // JSON is YAML.
  fs.writeFileSync(config, JSON.stringify(settings));
  const child = spawn(process.execPath, [osler, values.task, '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const started = performance.now();
  const samples = [];
  const log = path.join(dir, 'run', 'metrics.jsonl');
  const done = new Promise((resolve) => child.once('close', resolve));
  let said = '';
  child.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-2000);
  });
  while ((await Promise.race([done, sleep(2000)])) === undefined) {
    const step = fs.existsSync(log) ? lastStep(log) : 0;
    if (step > 0) samples.push({ at: step / steps, ...processes(child.pid) });
  }
  if ((await done) !== 0) throw new Error(`osler ${values.task} ended with ${child.exitCode}:\n${said}`);
  return { amount: `${steps} steps`, seconds: since(started), ...compare(samples) };
}

function lastStep(log) {
  const lines = fs.readFileSync(log, 'utf8').trimEnd().split('\n');
  try {
    return JSON.parse(lines.at(-1)).step ?? 0;
  } catch {
    return 0;
  }
}

/** Requests of every kind, several at a time: good, bad, with pictures, streamed, and left by their client. */
async function soakServer(requests) {
  const child = spawn(process.execPath, [osler, 'serve', '--model', model, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = await new Promise((resolve) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve([line]));
  });
  const [url] = /http:[/\d.]+:\d+/.exec(first);
  const picture = `data:image/png;base64,${fs.readFileSync(firstPicture()).toString('base64')}`;
  const started = performance.now();
  const samples = [];
  let asked = 0;
  const worker = async () => {
    while (asked < requests) {
      const n = asked++;
      await ask(url, n, picture);
      if (n % 100 === 0) {
        const pipelines = Number(
          /^osler_pipelines (\d+)/m.exec(await (await fetch(`${url}/metrics`)).text())[1],
        );
        samples.push({ at: n / requests, pipelines, ...processes(child.pid) });
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
  return { amount: `${requests} requests`, seconds: since(started), ...compare(samples) };
}

function firstPicture() {
  const record = JSON.parse(fs.readFileSync(dataset, 'utf8').split('\n')[0]);
  return path.join(questions, record.image ?? record.images[0]);
}

async function ask(url, n, picture) {
  const content = [{ type: 'text', text: `What is shown in number ${n}?` }];
  if (n % 3 === 0) content.unshift({ type: 'image_url', image_url: { url: picture } });
  const body = {
    messages: [{ role: 'user', content }],
    max_tokens: 1 + (n % 8),
    seed: n,
    stream: n % 2 === 0,
  };
  if (n % 7 === 0) body.n = 2;
  if (n % 11 === 0) body.temperature = -1;
  if (n % 13 === 0) body.messages = 'none';
  const signal = n % 17 === 0 ? AbortSignal.timeout(n % 50) : undefined;
  const text = n % 19 === 0 ? '{"messages": [' : JSON.stringify(body);
  try {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: text, signal });
    await reply.text();
    if (reply.status >= 500) throw new Error(`request ${n} was answered with ${reply.status}`);
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** Memory and open files of a process and all below it. */
function processes(pid) {
  const sum = { MiB: 0, files: 0 };
  for (const each of [pid, ...below(pid)]) {
    try {
      const status = fs.readFileSync(`/proc/${each}/status`, 'utf8');
      sum.MiB += Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
      sum.files += fs.readdirSync(`/proc/${each}/fd`).length;
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}

function below(pid) {
  const file = `/proc/${pid}/task/${pid}/children`;
  const children = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split(' ').filter(Boolean) : [];
  return children.flatMap((child) => [child, ...below(child)]);
}

/** For everything that was sampled: its peak in the second and in the last quarter. */
function compare(samples) {
  const slack = { MiB: (first) => first / 20 + 32, files: () => 4, pipelines: () => 0 };
  const quarter = (from) => samples.filter(({ at }) => at >= from && at < from + 0.25);
  const names = Object.keys(samples[0] ?? {}).filter((name) => name !== 'at');
  return Object.fromEntries(
    names.map((name) => {
      const peak = (from) => Math.max(...quarter(from).map((sample) => sample[name]));
      const [first, last] = [peak(0.25), peak(0.75)];
      return [name, { first, last, ok: last - first <= slack[name](first) }];
    }),
  );
}

function since(started) {
  return Math.round((performance.now() - started) / 1000);
}
