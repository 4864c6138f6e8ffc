/** From records to token ids and masks: what is learned, what is left out, what is refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Conversation, Question, Sample } from '../data/index.js';
import { initModel, loadConfig, type ModelConfig } from '../models/index.js';
import { loadProcessor, type Processor, PromptEncoder } from '../models/processor/index.js';
import { parseSftConfig } from './config.js';
import { buildExamples, type Example } from './examples.js';

let model: ModelConfig;
let processor: Processor;
let images: string;
beforeAll(async () => {
  images = await mkdtemp(join(tmpdir(), 'osler-examples-'));
  await initModel(join(images, 'model'), { arch: 'tiny-qwen2-vl', seed: 0 });
  const { default: sharp } = await import('sharp');
  const picture = sharp({ create: { width: 56, height: 84, channels: 3, background: 'teal' } });
  await picture.png().toFile(join(images, 'a.png'));
  model = await loadConfig(join(images, 'model'));
  processor = await loadProcessor(join(images, 'model'), model);
});
afterAll(() => rm(images, { recursive: true }));

function question(extra: Partial<Question> = {}): Question {
  return {
    id: 'q1',
    images: ['a.png'],
    question: 'What is it?',
    options: { A: 'a liver', B: 'a lung' },
    answer: 'B',
    reasoning: 'It is dark.',
    source: { file: 'data.jsonl', line: 7, root: images },
    ...extra,
  };
}

function conversation(...texts: string[]): Conversation {
  const messages = texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
  return { id: 'c1', images: [], messages, source: { file: 'data.jsonl', line: 2, root: images } };
}

async function build(samples: Sample[], settings: Record<string, unknown> = {}, config = model) {
  const notes: string[] = [];
  const setting = {
    config: parseSftConfig({
      file: 'test.yaml',
      text: JSON.stringify({ model_name_or_path: 'm', train_dataset: 'd', output_dir: 'o', ...settings }),
    }),
    model: config,
    encoder: new PromptEncoder(config, processor),
    note: (line: string) => void notes.push(line),
  };
  return { examples: await buildExamples(samples, setting), notes };
}

/** Text of the tokens that count. */
function learned({ ids, mask }: Example): string {
  return processor.tokenizer.decode([...ids].filter((_, i) => mask[i] === 1));
}

it('teaches reasoning and answer in the asked style, and the end of the turn', async () => {
  const target = async (style: string) =>
    learned((await build([question()], { answer_style: style })).examples[0]);
  expect(await target('think')).toBe('<think>It is dark.</think>\n<answer> B </answer><|im_end|>\n');
  expect(await target('no-think')).toBe('<answer> B </answer><|im_end|>\n');
  expect(await target('think-after')).toBe('<answer> B </answer>\n<think>It is dark.</think><|im_end|>\n');
});

it('shows the picture before the question, as many tokens as it has cells', async () => {
  const { examples } = await build([question()], { system_prompt: 'Be brief.' });
  const [{ ids, mask, grids }] = examples;
  expect(grids).toEqual([[1, 6, 4]]);
  expect(ids.filter((id) => id === model.tokens.image)).toHaveLength(6);
  expect(ids.some((id, i) => id === model.tokens.image && mask[i] === 1)).toBe(false);
  const text = processor.tokenizer.decode(ids);
  expect(text).toMatch(
    /^<\|im_start\|>system\nBe brief\.<\|im_end\|>\n<\|im_start\|>user\n<\|vision_start\|>/,
  );
  expect(text).toContain('What is it? A)a liver, B)a lung Your task: 1. Think');
});

it('learns from all answers of a conversation, or the last', async () => {
  const talk = conversation('Hi', 'Hello.', 'More?', 'No.');
  const of = async (learn: string) => learned((await build([talk], { learn_from: learn })).examples[0]);
  expect(await of('all')).toBe('Hello.<|im_end|>\nNo.<|im_end|>\n');
  expect(await of('last')).toBe('No.<|im_end|>\n');
});

it('leaves out questions without reasoning, and never teaches the word undefined', async () => {
  const { reasoning: _, ...bare } = question({ id: 'q2' });
  const { examples, notes } = await build([question(), bare]);
  expect(examples).toHaveLength(1);
  expect(notes).toEqual([
    '1 of 2 questions have no reasoning to teach with answer_style think and are left out',
  ]);
  await expect(build([bare])).rejects.toThrow(/no example to learn from; give the questions a "reasoning"/);
});

it('drops, cuts or refuses what is too long, but never cuts a picture', async () => {
  const long = conversation('Hi', 'x'.repeat(100));
  const short = conversation('Hi', 'Yes.');
  const length = (await build([short])).examples[0].ids.length;
  const limit = { max_length: length + 10 };
  const dropped = await build([long, { ...short, id: 'c2' }], limit);
  expect([dropped.examples.length, dropped.notes[0]]).toEqual([
    1,
    `1 of 2 examples are longer than max_length ${length + 10} and are left out`,
  ]);
  const cut = (await build([long], { ...limit, overlong: 'truncate' })).examples[0];
  expect([cut.ids.length, cut.mask.length]).toEqual([length + 10, length + 10]);
  expect(learned(cut)).toMatch(/^x+$/);
  await expect(build([long], { ...limit, overlong: 'error' })).rejects.toThrow(
    /data\.jsonl:2 has \d+ tokens, more than max_length/,
  );
  await expect(build([question()], { max_length: 40, overlong: 'truncate' })).rejects.toThrow(
    /data\.jsonl:7 .* cutting it would (cut an image|leave no answer)/,
  );
  const inPicture =
    [...(await build([question()])).examples[0].ids].indexOf(model.tokens.image as number) + 3;
  await expect(build([question()], { max_length: inPicture, overlong: 'truncate' })).rejects.toThrow(
    /cut an image/,
  );
  await expect(build([long], { max_length: 5 })).rejects.toThrow(
    /no example to learn from; raise max_length/,
  );
});

it('names the record whose picture is missing', async () => {
  await expect(build([question({ images: ['gone.png'] })])).rejects.toThrow(
    /^data\.jsonl:7:image cannot be used: .*gone\.png does not exist/,
  );
});

it('refuses pictures for a model that cannot see', async () => {
  await initModel(join(images, 'blind'), { arch: 'tiny-qwen2', seed: 0 });
  const blind = await loadConfig(join(images, 'blind'));
  await expect(build([question()], {}, blind)).rejects.toThrow(/has images, but a qwen2 model cannot see/);
});
