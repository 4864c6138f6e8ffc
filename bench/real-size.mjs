/**
 * Published shapes with random weights, on the adapter at hand: a short generation, and the largest first GRPO step of small
 * settings (`osler grpo --check`: one question with a small picture, two completions of a few tokens), its memory beside the plan.
 *
 *     node bench/real-size.mjs [--case NAME]... [--folder DIR] [--keep DIR] [--tokens 2] [--least-free 3] [--out FILE]
 *
 * Cases run one after another, and weights are deleted after each, but for those that are found in the folder of `--keep` or
 * made there; the largest takes 17 GB of disk and tens of minutes where two cores play the GPU. A case whose machine has less than `--least-free` GiB of memory left is stopped. FILE keeps the results
 * of cases that do not run. Exit code 1 where a step took 5 % more or less than planned. Linux only: it reads /proc.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const osler = fileURLToPath(new URL('../scripts/osler.mjs', import.meta.url));
const GIB = 2 ** 30;

const LORA = { use_peft: true, lora_r: 16, freeze_vision_tower: true, optim: 'adamw_8bit' };
const CASES = {
  'qwen2.5-vl-7b, adapter over NF4': { arch: 'qwen2.5-vl-7b', settings: { ...LORA, load_in_4bit: true } },
  'qwen2-vl-2b, whole': {
    arch: 'qwen2-vl-2b',
    settings: { optim: 'adamw_bf16', gradient_dtype: 'bfloat16' },
  },
  'qwen3-vl-2b, adapter': { arch: 'qwen3-vl-2b', settings: LORA, generate: true },
  'medgemma-4b, adapter': { arch: 'medgemma-4b', settings: LORA, generate: true },
};

const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true, default: Object.keys(CASES) },
    folder: { type: 'string', default: os.tmpdir() },
    keep: { type: 'string' },
    tokens: { type: 'string', default: '2' },
    'least-free': { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const unknown = values.case.filter((name) => !Object.hasOwn(CASES, name));
if (unknown.length > 0)
  throw new Error(`no such case: ${unknown}; there are ${Object.keys(CASES).join('; ')}`);

const results = values.out && fs.existsSync(values.out) ? JSON.parse(fs.readFileSync(values.out)) : {};
for (const name of values.case) {
  const result = await measure(CASES[name]);
  console.log(`${name}: ${text(result)}`);
  if (!(Math.abs(result.measured / result.planned - 1) <= 0.05)) process.exitCode = 1;
  results[name] = { date: new Date().toISOString(), ...result };
  if (values.out) fs.writeFileSync(values.out, `${JSON.stringify(results, null, 1)}\n`);
}

async function measure({ arch, settings, generate }) {
  const dir = fs.mkdtempSync(path.join(values.folder, 'osler-real-size-'));
  try {
    const at = (name) => path.join(dir, name);
    await run('phantom', '--out', at('pictures'), '--n', '1', '--size', '112');
    const { image } = JSON.parse(fs.readFileSync(path.join(at('pictures'), 'questions.jsonl'), 'utf8'));
    // Tokenizers of random checkpoints spell bytes: short questions, or prompts are hundreds of tokens.
    const question = { id: 'q', image, question: 'Which?', options: { A: 'CT', B: 'MR' }, answer: 'A' };
    const questions = path.join(at('pictures'), 'short.jsonl');
    fs.writeFileSync(questions, `${JSON.stringify({ ...question, modality: 'CT' })}\n`);
    const model = values.keep ? path.join(values.keep, arch) : at('model');
    if (!fs.existsSync(path.join(model, 'config.json'))) await run('init', '--arch', arch, '--out', model);
    const asked = ['--prompt', 'Which?', '--image', path.join(at('pictures'), image)];
    const generation =
      generate &&
      (await run('generate', '--model', model, ...asked, '--max-new-tokens', values.tokens, '--json'));
    const config = {
      model_name_or_path: model,
      train_dataset: questions,
      output_dir: at('run'),
      rewards: ['accuracy'],
      system_prompt: '-',
      prompt_template: '{Question}',
      beta: 0,
      dtype: 'bfloat16',
      kv_cache_dtype: 'bfloat16',
      num_generations: 2,
      per_device_train_batch_size: 2,
      max_completion_length: Number(values.tokens),
      ...settings,
    };
    // JSON is YAML.
    fs.writeFileSync(at('run.yaml'), JSON.stringify(config));
    const step = await run('grpo', '--config', at('run.yaml'), '--check', '--json');
    const { plan, measured, loadSeconds, seconds } = JSON.parse(step.out);
    const bytes = weightBytes(model);
    return {
      settings,
      ...(generate && { generation: { seconds: generation.seconds, process: generation.most } }),
      planned: plan.peak,
      measured: measured.peakTotal,
      process: step.most,
      loadSeconds,
      loadSecondsPerGb: loadSeconds / (bytes / 1e9),
      stepSeconds: seconds,
      plan,
      peak: measured.peak,
    };
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
}

/** Runs a command to its end; `most` is the most memory that its processes held together. */
async function run(...args) {
  const started = performance.now();
  const child = spawn(process.execPath, [osler, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, said, most, short] = ['', '', 0, false];
  child.stdout.on('data', (piece) => {
    out += piece;
  });
  child.stderr.on('data', (piece) => {
    said = `${said}${piece}`.slice(-2000);
  });
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(child.pid));
    if (!short && available() < Number(values['least-free']) * GIB) {
      short = true;
      child.kill();
    }
  }, 500);
  const status = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  if (short) throw new Error(`osler ${args[0]} was stopped: the machine had too little memory left`);
  if (status !== 0) throw new Error(`osler ${args[0]} ended with ${status}: ${said}`);
  return { out, most, seconds: (performance.now() - started) / 1000 };
}

/** Memory of a process and its children. */
function residentBytes(pid) {
  try {
    const [, kib] = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [0, 0];
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.reduce((sum, child) => sum + residentBytes(child), Number(kib) * 1024);
  } catch {
    // It has ended.
    return 0;
  }
}

/** Memory that processes can have: what is free, and what the system only keeps of files. */
function available() {
  return Number(/MemAvailable:\s+(\d+)/.exec(fs.readFileSync('/proc/meminfo', 'utf8'))[1]) * 1024;
}

function weightBytes(folder) {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  return files.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
}

function text({ planned, measured, process: most, loadSeconds, loadSecondsPerGb, stepSeconds }) {
  const gib = (bytes) => `${(bytes / GIB).toFixed(2)} GiB`;
  const off = `${(100 * (measured / planned - 1)).toFixed(1)} %`;
  const load = `loaded in ${loadSeconds.toFixed(0)} s (${loadSecondsPerGb.toFixed(1)} s/GB)`;
  return `planned ${gib(planned)}, took ${gib(measured)} (${off}), the process ${gib(most)}; ${load}, step ${stepSeconds.toFixed(0)} s`;
}
