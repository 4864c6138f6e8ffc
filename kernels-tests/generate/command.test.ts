/** `osler generate` in all its forms, on a tiny model with a tokenizer. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type GenerateArgs, runGenerate } from '../../src/cli/generate.js';
import { openSession } from '../../src/cli/generation.js';
import { tinySession } from './session.js';
import { expectation } from './support.js';

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));
let tiny: Awaited<ReturnType<typeof tinySession>>;
let defaults: GenerateArgs;

interface Row {
  readonly prompt: number;
  readonly id?: string;
  readonly sample: number;
  readonly tokenIds: number[];
  readonly logprobs: number[];
  readonly text: string;
  readonly finishReason: string;
}

beforeAll(async () => {
  tiny = await tinySession();
  defaults = {
    model: tiny.dir,
    dtype: 'auto',
    kvDtype: 'f32',
    batch: 8,
    json: true,
    verbose: false,
    image: [],
    skipUnreadable: false,
    raw: false,
    n: 1,
    maxNewTokens: 10,
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    greedy: false,
    seed: 0,
    stop: [],
    ignoreEos: false,
  };
  const image = sharp({ create: { width: 50, height: 70, channels: 3, background: 'teal' } });
  await image.png().toFile(join(tiny.dir, 'teal.png'));
});

afterAll(() => tiny.close());
afterEach(() => vi.restoreAllMocks());

async function output(args: Partial<GenerateArgs>, session = tiny.session): Promise<string> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(`${line}\n`));
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  await runGenerate({ ...defaults, ...args }, session);
  return lines.join('');
}

async function rows(args: Partial<GenerateArgs>, session = tiny.session): Promise<Row[]> {
  return (JSON.parse(await output(args, session)) as { completions: Row[] }).completions;
}

it('answers a prompt with pictures', async () => {
  const prompt = 'What is shown?';
  const image = join(tiny.dir, 'teal.png');
  const seen = await rows({ prompt, image: [image], n: 3 });
  expect(seen.map(({ prompt: p, sample }) => [p, sample])).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
  ]);
  for (const { tokenIds, logprobs } of seen) expect(logprobs).toHaveLength(tokenIds.length);
  const greedy = { prompt, greedy: true, temperature: 0 };
  const [blind] = await rows(greedy);
  const [once] = await rows({ ...greedy, image: [image] });
  const [twice] = await rows({ ...greedy, image: [image, image] });
  const raw = await rows({ ...greedy, raw: true });
  // A random model may say the same to all of them, but not with the same certainty.
  expect(new Set([blind, once, twice, raw[0]].map(({ logprobs }) => logprobs.join())).size).toBe(4);
});

it('prints text as it comes, or with a heading each', async () => {
  const [{ text }] = await rows({ prompt: 'Hello' });
  expect(await output({ prompt: 'Hello', json: false })).toBe(`${text}\n`);
  const two = await output({ prompt: 'Hello', json: false, n: 2 });
  expect(two.match(/^--- sample [01], \d+ tokens, (length|stop)$/gm)).toHaveLength(2);
});

it('takes prompts and conversations from lines of a file', async () => {
  const input = join(tiny.dir, 'prompts.jsonl');
  const lines = [
    { id: 'a', prompt: 'Hello' },
    { prompt: 'Hello' },
    { id: 'c', prompt: 'What is shown?', images: ['teal.png'] },
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'image', image: 'teal.png' },
            { type: 'text', text: 'Well?' },
          ],
        },
      ],
    },
  ];
  await writeFile(input, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n\n`);
  const found = await rows({ input, n: 2 });
  expect(found.map(({ prompt, id }) => `${prompt} ${id}`)).toEqual([
    '0 a',
    '0 a',
    '1 undefined',
    '1 undefined',
    '2 c',
    '2 c',
    '3 undefined',
    '3 undefined',
  ]);
  // The first is what a single prompt gets; an equal prompt draws other numbers.
  const [alone] = await rows({ prompt: 'Hello', n: 2 });
  expect(found[0].tokenIds).toEqual(alone.tokenIds);
  expect(found[2].tokenIds).not.toEqual(alone.tokenIds);
  const greedy = await rows({ input, greedy: true });
  expect(greedy[0].tokenIds).toEqual(greedy[1].tokenIds);
});

it.each([
  ['{"prompt": 3}', /jsonl:2 has neither "prompt"/],
  ['{"prompt"', /jsonl:2 is not valid JSON/],
  ['{"prompt": "x", "images": ["none.png"]}', /none\.png, a picture of .*jsonl:2, does not exist$/],
  ['{"prompt": "x", "images": "teal.png"}', /"images" that are not a list/],
  ['{"messages": [{"role": "user"}]}', /jsonl:2: message 1/],
])('names the line that cannot be used: %s', async (line, message) => {
  const input = join(tiny.dir, 'bad.jsonl');
  await writeFile(input, `{"prompt": "fine"}\n${line}\n`);
  await expect(output({ input })).rejects.toThrow(message);
});

it('leaves lines with unreadable pictures out on request', async () => {
  const input = join(tiny.dir, 'some.jsonl');
  await writeFile(join(tiny.dir, 'broken.png'), 'no picture');
  const images = [['teal.png'], ['broken.png'], ['none.png'], []];
  await writeFile(input, images.map((own) => JSON.stringify({ prompt: 'x', images: own })).join('\n'));
  const warnings = vi.spyOn(console, 'error').mockImplementation(() => {});
  const found = await rows({ input, skipUnreadable: true });
  expect(found.map(({ prompt }) => prompt)).toEqual([0, 3]);
  expect(warnings.mock.lastCall).toEqual([expect.stringMatching(/skipped 2 of 4 .*broken\.png/)]);
});

it('generates from tensors without a tokenizer, token by token what transformers does', async () => {
  const name = 'qwen2.5-vl';
  const session = await openSession({ ...defaults, model: `${fixtures}models/${name}` }, true);
  try {
    const inputs = `${fixtures}generate/${name}.safetensors`;
    const args = { inputs, greedy: true, ignoreEos: true, maxNewTokens: 64 };
    const found = await rows(args, session);
    const { tokens } = await expectation(session.model, name);
    expect(found.map(({ tokenIds }) => tokenIds)).toEqual(tokens);
    expect(found[0].text).toBeUndefined();
    expect(await output({ ...args, json: false, maxNewTokens: 3 }, session)).toContain(
      tokens[0].slice(0, 3).join(' '),
    );
    await expect(output({ prompt: 'Hello' }, session)).rejects.toThrow(/tokenizer\.json/);
  } finally {
    await session.close();
  }
});
