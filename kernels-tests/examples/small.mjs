/** Examples as they are, but for their sizes: a step, a few tokens, a few pictures. */
import * as fs from 'node:fs';

const TRAINING = [
  ...['max_steps=1', 'save_steps=1', 'max_eval_samples=2'],
  ...['per_device_train_batch_size=2', 'gradient_accumulation_steps=1'],
].flatMap((set) => ['--set', set]);
const GRPO = [...TRAINING, '--set', 'num_generations=2', '--set', 'max_completion_length=4'];

/** What makes a command's work small: options and their values, which replace those that are there. */
const SMALL = {
  demo: ['--short'],
  init: ['--arch', 'tiny'],
  generate: ['--max-new-tokens', '4'],
  sft: TRAINING,
  grpo: (words) => (words.includes('--workers') ? [...GRPO, '--workers', '1'] : GRPO),
  eval: ['--max-new-tokens', '4'],
  matrix: (words) => (words.includes('--recipe') ? GRPO : []),
  phantom: ['--n', '8', '--size', '84'],
  synth: async (words) => ['--max-new-tokens', '4', ...(await servedModel(words))],
  bench: async (words) => ['--filter', await quickest(words[words.indexOf('--filter') + 1])],
};

/** An example's words with little to do. */
export async function madeSmall(words) {
  const options = SMALL[words[0]] ?? [];
  return withOptions(words, typeof options === 'function' ? await options(words) : options);
}

/** The words with other options: a value where there is one already, at the end where not. Settings are added. */
export function withOptions(words, options) {
  const result = [...words];
  for (let i = 0; i < options.length; i++) {
    const name = options[i];
    if (!name.startsWith('--')) continue;
    const value = options[i + 1]?.startsWith('--') ? undefined : options[i + 1];
    const at = name === '--set' ? -1 : result.indexOf(name);
    if (at >= 0 && value !== undefined) result[at + 1] = value;
    else if (at < 0) result.push(name, ...(value === undefined ? [] : [value]));
  }
  return result;
}

/** Whatever an example calls the model of an endpoint: the one that is there. */
async function servedModel(words) {
  const at = words.indexOf('--endpoint');
  if (at < 0) return [];
  const models = await (await fetch(`${words[at + 1]}/models`)).json();
  return ['--model', models.data[0].id];
}

/** Of the benchmarks that a filter chooses the one with the least to compute, as a filter. */
async function quickest(filter) {
  const folder = new URL('../../dist/bench/', import.meta.url);
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.bench.js'));
  const cases = [];
  for (const file of files) {
    for (const { name, shape, flops, bytes } of (await import(new URL(file, folder))).default) {
      cases.push({ label: `${file.replace('.bench.js', '')} ${name} ${shape}`, cost: flops + bytes });
    }
  }
  const chosen = cases.filter(({ label }) => label.includes(filter)).sort((a, b) => a.cost - b.cost);
  return chosen[0]?.label ?? filter;
}
