/** Runs of a tiny model, as short as they can be with all that a trainer does in them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { TORCH_FLOATS } from '#osler/tensor/index.js';
import { osler } from './process.mjs';

/** Optimizer steps; there is a checkpoint after each. */
export const STEPS = 4;

/** What random models are rewarded for; `FAULT_REWARD` names what goes wrong in the tenth call. */
const REWARD = `let calls = 0;
export default function reward({ completionIds: ids }) {
  if (++calls === 10) {
    switch (process.env.FAULT_REWARD) {
      case 'throws': throw new Error('the judge is away');
      case 'rejects': return Promise.reject(new Error('the judge is away'));
      case 'text': return 'good';
      case 'infinite': return Infinity;
      case 'object': return { value: 'good' };
    }
  }
  return ids.filter((id) => id % 2 === 0).length / ids.length;
}
`;

const SFT = {
  eval_fraction: 0.2,
  eval_strategy: 'steps',
  eval_steps: 2,
  metric_for_best_model: 'loss',
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
};
/** A round of rollouts serves two steps, so that half of the checkpoints lie within one. */
const GRPO = {
  prompt_template: '{Question}',
  rewards: [{ name: 'module', path: 'reward.mjs' }],
  num_generations: 2,
  per_device_train_batch_size: 4,
  steps_per_generation: 2,
  max_completion_length: 6,
};

/** Every trainer, with an adapter and with all weights, in every format that weights are stored in. */
export const CONFIGS = Object.entries({
  sft: { command: 'sft', fields: SFT },
  grpo: { command: 'grpo', fields: { ...GRPO, beta: 0.04 } },
  ppo: { command: 'grpo', fields: { ...GRPO, algorithm: 'ppo' } },
}).flatMap(([task, { command, fields }]) =>
  [false, true].flatMap((lora) =>
    TORCH_FLOATS.map((dtype) => ({
      name: `${task}-${lora ? 'lora' : 'whole'}-${dtype}`,
      command,
      fields: { ...fields, use_peft: lora, dtype },
    })),
  ),
);

/** Writes a model, data and a config for each of {@link CONFIGS} into a folder. */
export async function prepare(dir) {
  mkdirSync(dir, { recursive: true });
  const init = ['init', '--arch', 'tiny-qwen2-vl', '--seed', '0', '--out', path.join(dir, 'model')];
  const made = spawnSync(process.execPath, [osler, ...init], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`no model could be made: ${made.stderr}`);
  const lines = { sft: [], grpo: [] };
  for (let i = 0; i < 10; i++) {
    const background = { r: 20 * i, g: 128, b: 255 - 20 * i };
    const picture = sharp({ create: { width: 56, height: 56, channels: 3, background } });
    await picture.png().toFile(path.join(dir, `${i}.png`));
    const content = [
      { type: 'image', image: `${i}.png` },
      { type: 'text', text: `Which shade is ${i}?` },
    ];
    const messages = [
      { role: 'user', content },
      { role: 'assistant', content: `Shade ${20 * i}.` },
    ];
    lines.sft.push({ id: `${i}`, messages });
    const options = { A: 'dark', B: 'light' };
    lines.grpo.push({ id: `${i}`, image: `${i}.png`, question: `Shade ${i}?`, options, answer: 'A' });
  }
  for (const [command, records] of Object.entries(lines)) {
    const text = records.map((record) => JSON.stringify(record)).join('\n');
    writeFileSync(path.join(dir, `${command}.jsonl`), `${text}\n`);
  }
  writeFileSync(path.join(dir, 'reward.mjs'), REWARD);
  for (const { name, command, fields } of CONFIGS) {
    const config = {
      model_name_or_path: path.join(dir, 'model'),
      train_dataset: path.join(dir, `${command}.jsonl`),
      system_prompt: 'x',
      ...fields,
      output_dir: 'given by --set',
      learning_rate: 1e-3,
      max_steps: STEPS,
      save_steps: 1,
      save_total_limit: 3,
      logging_steps: 1,
    };
    // JSON is YAML.
    writeFileSync(path.join(dir, `${name}.yaml`), JSON.stringify(config));
  }
}
