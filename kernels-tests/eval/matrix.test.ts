/** `osler matrix --recipe`: trains and evaluates what is not there yet, with GRPO and with SFT. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { matrix } from '../../src/cli/matrix.js';
import { runCommand } from '../../src/cli/test-run.js';
import type { Matrix } from '../../src/eval/matrix.js';
import { workspace } from '../grpo/support.js';
import { removeFolders } from '../train/support.js';

let dir = '';
let settings: Record<string, unknown>;

beforeAll(async () => {
  // The test has a device already; a driver is not to be looked for.
  if (process.env.OSLER_LAUNCHED === undefined) vi.stubEnv('OSLER_LAUNCHED', '');
  // Every part opens a device of its own and compiles what it needs: without a vision tower that is little.
  ({ dir, settings } = await workspace('tiny-qwen2'));
  const data = readFileSync(at('train.jsonl'), 'utf8');
  writeFileSync(at('train.jsonl'), data.replace(/"image":"[^"]*"/g, '"images":[]'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await removeFolders();
});

/** Trains on some of seven questions, four about MRI and three about CT, and tests on all. */
async function runMatrix(...words: string[]): Promise<{ result: Matrix; trained: string[] }> {
  const files = ['--recipe', at('recipe.yaml'), '--test', at('train.jsonl'), '--out', at('out')];
  const { out, err } = await runCommand(matrix, 'matrix', ...files, '--json', ...words);
  return { result: JSON.parse(out) as Matrix, trained: err.match(/training on \w+/g) ?? [] };
}

const at = (...names: string[]) => join(dir, ...names);
const written = (...names: string[]) => statSync(at('out', ...names)).mtimeMs;
const linesOf = (...names: string[]) =>
  readFileSync(at('out', ...names), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

// Slow because it trains for real, twice over: the one place where GRPO runs, evaluation and reuse of finished runs meet.
it('trains one model per domain with GRPO, and only what is not there yet', async () => {
  const recipe = {
    ...settings,
    num_generations: 2,
    gradient_accumulation_steps: 1,
    max_completion_length: 4,
    max_steps: 1,
    save_steps: 1,
  };
  writeFileSync(at('recipe.yaml'), JSON.stringify(recipe));
  const one = await runMatrix('--only', 'CT');
  expect(one.trained).toEqual(['training on CT']);
  expect(one.result).toMatchObject({ rows: ['CT'], columns: ['CT', 'MRI'], questions: [[3, 4]] });
  expect(one.result.base).toHaveLength(2);
  const done = ['metrics.jsonl', 'eval/end/summary.json'].map((name) => written('runs', 'ct', name));

  const both = await runMatrix();
  expect(both.trained).toEqual(['training on MRI']);
  expect(both.result).toMatchObject({ rows: ['CT', 'MRI'], base: one.result.base });
  expect(both.result.values[0]).toEqual(one.result.values[0]);
  for (const modality of ['CT', 'MRI']) {
    const run = join('runs', modality.toLowerCase());
    expect(linesOf(run, 'metrics.jsonl')).toHaveLength(1);
    const seen = linesOf(run, 'completions.jsonl').map((line) => line.modality);
    expect(seen).toEqual([modality, modality, modality, modality]);
    expect(existsSync(at('out', run, 'eval', 'end', 'report.html'))).toBe(true);
    const summary = JSON.parse(readFileSync(at('out', run, 'eval', 'end', 'summary.json'), 'utf8'));
    expect(summary).toMatchObject({ questions: 7, model: at('out', run, 'checkpoints', 'step-000001') });
  }

  // Trained, but killed before its evaluation: the training is not done again.
  const checkpoint = written('runs/mri/checkpoints/step-000001/model.safetensors');
  const predictions = readFileSync(at('out', 'runs/mri/eval/end/predictions.jsonl'), 'utf8');
  await rm(at('out', 'runs/mri/eval/end'), { recursive: true });
  const again = await runMatrix();
  expect(again.result).toEqual(both.result);
  expect(written('runs/mri/checkpoints/step-000001/model.safetensors')).toBe(checkpoint);
  expect(linesOf('runs/mri/metrics.jsonl')).toHaveLength(1);
  expect(readFileSync(at('out', 'runs/mri/eval/end/predictions.jsonl'), 'utf8')).toBe(predictions);
  expect(['metrics.jsonl', 'eval/end/summary.json'].map((name) => written('runs', 'ct', name))).toEqual(done);
});

it('trains with SFT, and anew where a checkpoint has only the model', async () => {
  const { num_generations, max_completion_length, rewards, ...own } = settings;
  const short = { answer_style: 'no-think', gradient_accumulation_steps: 1, max_steps: 1 };
  writeFileSync(at('recipe.yaml'), JSON.stringify({ ...own, ...short }));
  // What save_only_model leaves of a run that was killed before its evaluation.
  await rm(at('out', 'runs/ct/eval'), { recursive: true });
  await rm(at('out', 'runs/ct/checkpoints/step-000001/trainer-state'), { recursive: true });
  const { result, trained } = await runMatrix('--method', 'sft', '--only', 'CT');
  expect(trained).toEqual(['training on CT']);
  expect(result).toMatchObject({ rows: ['CT'], columns: ['CT', 'MRI'] });
  expect(linesOf('runs/ct/metrics.jsonl')).toEqual([
    expect.objectContaining({ step: 1, mean_token_accuracy: expect.any(Number) }),
  ]);
});

it('refuses tests without domains before anything else', async () => {
  await rm(at('out'), { recursive: true });
  await expect(runMatrix('--domain', 'question_type')).rejects.toThrow(
    /train\.jsonl has no question with a question_type/,
  );
  expect(existsSync(at('out'))).toBe(false);
});
