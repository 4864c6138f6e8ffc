/** Whole runs: determinism, interruption, resume, what is kept, what is refused. */
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/common.js';
import type { Gpu } from '../../src/gpu/index.js';
import { attachTuner, Tuner, tunerFor } from '../../src/kernels/tuner.js';
import type { TrainingListener } from '../../src/train/events.js';
import { verifyCheckpoint } from '../../src/train/manifest.js';
import { testGpu } from '../support/gpu.js';
import { computedMetrics, removeFolders, runSft, temporary, workspace } from './support.js';

let gpu: Gpu;
let shared: string;
let settings: Record<string, unknown>;
/** Where a test's runs go. */
let dir: string;
beforeAll(async () => {
  gpu = await testGpu();
  ({ dir: shared, settings } = await workspace());
});
beforeEach(async () => {
  dir = await temporary();
});
afterAll(removeFolders);

/** Bytes of every file of a checkpoint, by path. */
async function contents(folder: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found.set(path.slice(folder.length), await readFile(path));
  }
  return found;
}

async function expectEqualRuns(a: string, b: string, step: string): Promise<void> {
  expect(await computedMetrics(b)).toEqual(await computedMetrics(a));
  const [first, second] = [
    await contents(`${a}/checkpoints/${step}`),
    await contents(`${b}/checkpoints/${step}`),
  ];
  expect([...second.keys()]).toEqual([...first.keys()]);
  expect(first.size).toBeGreaterThan(5);
  for (const [name, bytes] of first) expect([name, second.get(name)?.equals(bytes)]).toEqual([name, true]);
}

/** Aborts when a step is done. */
function stopAfter(step: number): { signal: AbortSignal; listeners: TrainingListener[] } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    listeners: [{ onStep: (event) => void (event.step === step && controller.abort()) }],
  };
}

describe('two runs, and a run that was interrupted', () => {
  const cases: [string, Record<string, unknown>][] = [
    [
      'all weights',
      { eval_strategy: 'steps', eval_steps: 2, eval_fraction: 0.2, lr_scheduler_type: 'cosine' },
    ],
    ['bf16 with masters', { dtype: 'bfloat16', packing: true, max_length: 220 }],
    [
      'moments in 8 bits, gradients in bf16',
      { dtype: 'bfloat16', optim: 'adamw_8bit', gradient_dtype: 'bfloat16' },
    ],
    [
      'bf16 without masters, updated in the backward pass',
      {
        dtype: 'bfloat16',
        optim: 'adamw_bf16',
        optimizer_in_backward: true,
        max_grad_norm: 0,
        gradient_accumulation_steps: 1,
      },
    ],
    ['an adapter with dropout', { use_peft: true, lora_r: 4, lora_dropout: 0.2, freeze_vision_tower: false }],
  ];
  it.each(cases)('%s: are equal, byte by byte', async (_, extra) => {
    const base = { ...settings, max_steps: 4, save_steps: 3, ...extra };
    const before = gpu.memory().live.optimizer;
    const [a, b] = [join(dir, 'a'), join(dir, 'b')];
    const whole = await runSft(gpu, { ...base, output_dir: a });
    expect(whole).toMatchObject({ outcome: 'finished', step: 4 });
    const { signal, listeners } = stopAfter(2);
    const part = await runSft(gpu, { ...base, output_dir: b }, { signal, listeners });
    expect(part).toMatchObject({ outcome: 'stopped', step: 2, checkpoint: `${b}/checkpoints/step-000002` });
    const rest = await runSft(gpu, { ...base, output_dir: b }, { resume: true });
    expect(rest).toMatchObject({ outcome: 'finished', step: 4 });
    await expectEqualRuns(a, b, 'step-000004');
    expect(gpu.memory().live.optimizer).toBe(before);
  });
});

describe('what an interruption left', () => {
  let whole: string;
  beforeAll(async () => {
    whole = join(await temporary(), 'whole');
    await runSft(gpu, { ...settings, output_dir: whole });
  });

  it('of a step that was broken off there is no trace', async () => {
    const run = join(dir, 'run');
    // Aborted while step 4 runs: its next micro-batch refuses to begin.
    const controller = new AbortController();
    const listeners: TrainingListener[] = [
      { onStep: ({ step }) => void (step === 3 && setTimeout(() => controller.abort(), 1)) },
    ];
    const part = await runSft(
      gpu,
      { ...settings, output_dir: run },
      { signal: controller.signal, listeners },
    );
    expect(part.outcome).toBe('stopped');
    await runSft(gpu, { ...settings, output_dir: run }, { resume: true });
    await expectEqualRuns(whole, run, 'step-000006');
  });

  it('by a killed process is cleared away', async () => {
    const run = join(dir, 'run');
    const { signal, listeners } = stopAfter(5);
    await runSft(gpu, { ...settings, output_dir: run }, { signal, listeners });
    // As if killed while the checkpoint of step 5 was written and the line of step 6 begun.
    const checkpoints = join(run, 'checkpoints');
    const half = join(checkpoints, '.step-000005.osler-tmp-0123456789ab');
    await rename(join(checkpoints, 'step-000005'), half);
    await rm(join(half, 'trainer-state', 'state.json'));
    await appendFile(join(run, 'metrics.jsonl'), '{"step":6,"lo');
    const rest = await runSft(gpu, { ...settings, output_dir: run }, { resume: true });
    expect(rest.step).toBe(6);
    await expectEqualRuns(whole, run, 'step-000006');
    expect((await readdir(checkpoints)).sort()).toEqual(['step-000002', 'step-000004', 'step-000006']);
  });
});

it('keeps the last checkpoints and the best one', async () => {
  const run = join(dir, 'run');
  const extra = {
    save_steps: 1,
    save_total_limit: 2,
    eval_strategy: 'steps',
    eval_steps: 1,
    eval_fraction: 0.2,
  };
  const losses: number[] = [];
  const listeners = [
    { onStep: ({ metrics }) => void losses.push(metrics['eval/loss']) },
  ] satisfies TrainingListener[];
  // Backwards: the higher the loss the better, so that the best checkpoint is the first.
  const best = { metric_for_best_model: 'loss', greater_is_better: true };
  const result = await runSft(gpu, { ...settings, ...extra, ...best, output_dir: run }, { listeners });
  expect(losses).toHaveLength(6);
  const first = losses.indexOf(Math.max(...losses)) + 1;
  expect(result.best).toEqual({ step: first, metric: 'eval/loss', value: losses[first - 1] });
  expect(first).toBeLessThan(5);
  const steps = await readdir(join(run, 'checkpoints'));
  expect(steps.sort()).toEqual([`step-00000${first}`, 'step-000005', 'step-000006']);
  expect(JSON.parse(await readFile(join(run, 'best.json'), 'utf8'))).toEqual(result.best);
});

it('a checkpoint that cannot be written leaves the one before it', async () => {
  const run = join(dir, 'run');
  const [checkpoints, aside] = [join(run, 'checkpoints'), join(run, 'aside')];
  const listeners: TrainingListener[] = [
    {
      onStep: async ({ step }) => {
        if (step !== 4) return;
        await rename(checkpoints, aside);
        await writeFile(checkpoints, 'nothing can be written into a file');
      },
    },
  ];
  await expect(runSft(gpu, { ...settings, output_dir: run }, { listeners })).rejects.toThrow(
    /the checkpoint of step 4 could not be written: .*; that of step 2 is intact; go on from it with --resume/,
  );
  await rm(checkpoints);
  await rename(aside, checkpoints);
  expect(await readdir(checkpoints)).toEqual(['step-000002']);
  const rest = await runSft(gpu, { ...settings, output_dir: run }, { resume: true });
  expect(rest.outcome).toBe('finished');
  expect((await computedMetrics(run)).length).toBe(6);
});

describe('a checkpoint whose files are not what they were', () => {
  const flip = async (file: string) => {
    const bytes = await readFile(file);
    bytes[bytes.length - 5] ^= 16;
    await writeFile(file, bytes);
  };

  it('is passed over by a resume, which ends as if nothing had happened', async () => {
    const [whole, run] = [join(dir, 'whole'), join(dir, 'run')];
    await runSft(gpu, { ...settings, output_dir: whole });
    const { signal, listeners } = stopAfter(5);
    await runSft(gpu, { ...settings, output_dir: run }, { signal, listeners });
    const last = join(run, 'checkpoints', 'step-000005');
    const verdict = await verifyCheckpoint(last);
    const made = verdict.kind === 'intact' ? Object.keys(verdict.manifest.inputs ?? {}) : [];
    expect(made).toEqual(
      expect.arrayContaining(['model/model.safetensors', 'train.jsonl'].map((name) => join(shared, name))),
    );
    await flip(join(last, 'model.safetensors'));
    await truncate(join(last, 'trainer-state', 'state.json'), 20);
    expect(await verifyCheckpoint(last)).toEqual({
      kind: 'damaged',
      problems: ['model.safetensors', 'trainer-state/state.json'].map(
        (name) => `${name} is not as it was written`,
      ),
    });
    const lines: string[] = [];
    await runSft(gpu, { ...settings, output_dir: run }, { resume: true, lines });
    expect(lines.join('')).toMatch(
      /step-000005 is damaged \(model\.safetensors is not as it was written; .*passed over/,
    );
    await expectEqualRuns(whole, run, 'step-000006');
  });

  it('ends a resume where there is no other', async () => {
    const run = join(dir, 'run');
    await runSft(gpu, { ...settings, output_dir: run, max_steps: 1 });
    const checkpoint = join(run, 'checkpoints', 'step-000001');
    const resume = () => runSft(gpu, { ...settings, output_dir: run, max_steps: 2 }, { resume: true });
    const state = join(checkpoint, 'trainer-state', 'state.json');
    const text = await readFile(state, 'utf8');
    await flip(join(checkpoint, 'trainer-state', 'optimizer.safetensors'));
    await expect(resume()).rejects.toThrow(/whose checkpoints are all damaged; restore one/);
    // Written before there were manifests: what is in the files is all that can be checked.
    await rm(join(checkpoint, 'manifest.json'));
    for (const [changed, problem] of [
      [text.slice(0, 40), /state\.json is damaged \(.*resume from another checkpoint/],
      [text.replace('"step": 1', '"step": "x"'), /state\.json is damaged \("loop\.step": .*/],
      [
        text.replace('"step": 1', '"step": 1000000000'),
        /state\.json is of step 1000000000, in the checkpoint of step 1/,
      ],
      [text.replace('"version": 1', '"version": 9'), /state\.json has version 9; this Osler reads 1/],
    ] as const) {
      await writeFile(state, changed);
      const refused = await resume().catch((error: unknown) => error);
      expect((refused as Error).message).toMatch(problem);
      expect(exitCodeOf(refused)).toBe(2);
    }
    await writeFile(state, text);
    await writeFile(join(run, 'kernels.json'), '{"mat');
    await expect(resume()).rejects.toThrow(/kernels\.json is damaged/);
  });
});

it('measures its kernels before the first step where asked to, and resumes with what it found', async () => {
  const usual = tunerFor(gpu);
  const run = join(dir, 'run');
  const base = { ...settings, max_steps: 2, tune_kernels: true, output_dir: run };
  const kernels = async () => JSON.parse(await readFile(join(run, 'kernels.json'), 'utf8'));
  try {
    const measured: string[] = [];
    attachTuner(gpu, new Tuner(gpu, { onMeasured: (key) => void measured.push(key) }));
    await runSft(gpu, base, stopAfter(1));
    const found = await kernels();
    expect(measured.length).toBeGreaterThan(3);
    expect(Object.keys(found).sort()).toEqual(measured.sort());
    expect(tunerFor(gpu).pending).toBe(0);
    attachTuner(gpu, new Tuner(gpu, { onMeasured: () => expect.unreachable() }));
    await runSft(gpu, base, { resume: true });
    expect(await kernels()).toEqual(found);
  } finally {
    attachTuner(gpu, usual);
  }
});

it('two processes never work in one folder', async () => {
  const run = join(dir, 'run');
  let second: Promise<unknown> | undefined;
  const listeners: TrainingListener[] = [
    {
      onStep: async ({ step }) => {
        if (step !== 3) return;
        second = Promise.allSettled([
          runSft(gpu, { ...settings, output_dir: run }, { resume: true }),
          runSft(gpu, { ...settings, output_dir: run, overwrite_output_dir: true }),
        ]);
        await second;
      },
    },
  ];
  const first = await runSft(gpu, { ...settings, output_dir: run }, { listeners });
  expect(first.outcome).toBe('finished');
  for (const outcome of (await second) as PromiseSettledResult<unknown>[]) {
    expect(String((outcome as PromiseRejectedResult).reason)).toMatch(
      /"output_dir" cannot be used: .*run\.lock is held by process \d+, which works in this folder/,
    );
  }
  expect(await readdir(run)).not.toContain('run.lock');
});

it('overwrites runs, and nothing that only looks like one', async () => {
  const run = join(dir, 'run');
  await mkdir(join(run, 'checkpoints'), { recursive: true });
  await writeFile(join(run, 'checkpoints', 'mine.txt'), 'of years');
  const again = { ...settings, output_dir: run, overwrite_output_dir: true, max_steps: 1 };
  await expect(runSft(gpu, again)).rejects.toThrow(/has checkpoints but no config\.yaml of a run/);
  expect(await readdir(join(run, 'checkpoints'))).toEqual(['mine.txt']);
  await rm(join(run, 'checkpoints'), { recursive: true });
  await runSft(gpu, again);
  expect((await runSft(gpu, again)).outcome).toBe('finished');
});

it('refuses folders that hold a run, or none, or cannot be written', async () => {
  const run = join(dir, 'run');
  await expect(runSft(gpu, { ...settings, output_dir: run }, { resume: true })).rejects.toThrow(
    /there is no run to resume/,
  );
  await runSft(gpu, { ...settings, output_dir: run, max_steps: 1 });
  await expect(runSft(gpu, { ...settings, output_dir: run })).rejects.toThrow(/holds a run .*pass --resume/);
  await expect(runSft(gpu, { ...settings, output_dir: run, seed: 7 }, { resume: true })).rejects.toThrow(
    /"seed" is 7, but the run in .* has 42/,
  );
  const file = join(shared, 'model', 'config.json');
  for (const [folder, problem] of [
    [file, /"output_dir" cannot be used: .*config\.json is a file, not a folder; choose another/],
    [join(file, 'x'), /"output_dir" cannot be used: .* part of its path is a file; choose another/],
  ] as const) {
    const refused = await runSft(gpu, { ...settings, output_dir: folder }).catch((error: unknown) => error);
    expect((refused as Error).message).toMatch(problem);
    expect(exitCodeOf(refused)).toBe(2);
  }
  await mkdir(join(dir, 'closed'), { mode: 0o500 });
  if (process.getuid?.() !== 0) {
    await expect(runSft(gpu, { ...settings, output_dir: join(dir, 'closed', 'x') })).rejects.toThrow(
      /may not be written by this user/,
    );
  }
  await chmod(join(dir, 'closed'), 0o700);
});

it('resumes a run of a version that did not know a field yet', async () => {
  const run = join(dir, 'run');
  const { signal, listeners } = stopAfter(1);
  await runSft(gpu, { ...settings, max_steps: 2, output_dir: run }, { signal, listeners });
  const file = join(run, 'config.yaml');
  await writeFile(
    file,
    (await readFile(file, 'utf8')).replace(/^(optim|loss_type|group_by_length): .*\n/gm, ''),
  );
  const other = { ...settings, max_steps: 2, output_dir: run, optim: 'adamw_8bit' };
  await expect(runSft(gpu, other, { resume: true })).rejects.toThrow(
    /"optim" is "adamw_8bit", but the run in .* has "adamw_torch"/,
  );
  const rest = await runSft(gpu, { ...settings, max_steps: 2, output_dir: run }, { resume: true });
  expect(rest).toMatchObject({ outcome: 'finished', step: 2 });
});

it('refuses to resume on other data', async () => {
  const run = join(dir, 'run');
  await runSft(gpu, { ...settings, output_dir: run, max_steps: 2 });
  const file = join(shared, 'train.jsonl');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('It is 0.', 'It is 1.'));
  await expect(runSft(gpu, { ...settings, output_dir: run, max_steps: 4 }, { resume: true })).rejects.toThrow(
    /is not what the run began with/,
  );
  await writeFile(file, text);
});

it('refuses what does not fit, before the weights load', async () => {
  const lines: string[] = [];
  const run = join(dir, 'run');
  const model = join(dir, 'model');
  await cp(join(shared, 'model'), model, { recursive: true });
  await rm(join(model, 'model.safetensors'));
  const unloadable = { ...settings, model_name_or_path: model, output_dir: run };
  const deviceMemory = { bytes: 2 ** 40, free: 2 ** 20, source: 'a test' };
  await expect(runSft(gpu, unloadable, { deviceMemory, lines })).rejects.toThrow(
    /needs about .* MiB \(weights .*\), but the device has 1\.0 MiB free of 1024\.00 GiB \(a test\) for it; end other programs that use it, lower it with use_peft: true/,
  );
  expect(lines.join('')).toMatch(/memory plan: about .* \(weights .*, optimizer .*, activations/);
  await expect(readdir(run)).rejects.toThrow(/ENOENT/);
});
