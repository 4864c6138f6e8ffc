/** What the end of a training run tells. */
import { expect, it } from 'vitest';
import { counted, leftOut } from '../formats/counted.js';
import { parseSftConfig } from '../sft/index.js';
import { evaluateHint } from './training.js';

function config(text: string) {
  const needed = 'model_name_or_path: models/m\ntrain_dataset: d\noutput_dir: o\n';
  return parseSftConfig({ file: 'sft.yaml', text: needed + text });
}

it('names the last checkpoint, and how to measure it', () => {
  const last = 'o/checkpoints/step-000005';
  expect(evaluateHint(config(''), last)).toBe(
    `last checkpoint: ${last}; to measure it: osler eval --model ${last} --data FILE`,
  );
  expect(evaluateHint(config('use_peft: true'), last)).toContain(`--model models/m --adapter ${last} --data`);
});

it('counts one thing as one', () => {
  expect([0, 1, 2].map((n) => counted(n, 'step'))).toEqual(['0 steps', '1 step', '2 steps']);
  expect([1, 2].map((n) => leftOut(n, 'record'))).toEqual(['1 record is left out', '2 records are left out']);
});
