/** From conversations with pictures to ids and patches, on a model folder without weights. */
import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../../text/index.js';
import { bytesPicture, filePicture, type Picture } from '../../vision/index.js';
import { initModel, loadConfig, type ModelConfig } from '../index.js';
import { ahead, loadProcessor, type Processor, PromptEncoder } from './index.js';

let dir: string;
let config: ModelConfig;
let processor: Processor;
let encoder: PromptEncoder;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-processor-'));
  await initModel(join(dir, 'model'), { arch: 'tiny-qwen2-vl', seed: 0 });
  await initModel(join(dir, 'blind'), { arch: 'tiny-qwen2', seed: 0 });
  config = await loadConfig(join(dir, 'model'));
  processor = await loadProcessor(join(dir, 'model'), config);
  encoder = new PromptEncoder(config, processor);
});
afterAll(() => rm(dir, { recursive: true }));

async function png(width: number, height: number): Promise<Uint8Array> {
  return sharp({ create: { width, height, channels: 3, background: 'teal' } })
    .png()
    .toBuffer();
}

/** A picture of 56 x 84 pixels that counts how often it is read. */
async function counting(key: string) {
  const bytes = await png(56, 84);
  const picture = {
    name: `${key}.png`,
    key,
    reads: 0,
    read: async () => {
      picture.reads++;
      return bytes;
    },
  };
  return picture;
}

function asks(...pictures: Picture[]): Message<Picture>[] {
  const parts = pictures.map((image) => ({ type: 'image' as const, image }));
  return [{ role: 'user', content: [...parts, { type: 'text', text: 'What is it?' }] }];
}

const placeholders = (ids: Int32Array) => ids.filter((id) => id === config.tokens.image).length;

describe('an encoder', () => {
  it('gives a picture as many tokens as it has cells, reads headers once and pixels when asked', async () => {
    const picture = await counting('a');
    const prompt = await encoder.prompt(asks(picture, picture), { name: 'p' });
    expect(prompt.grids).toEqual([
      [1, 6, 4],
      [1, 6, 4],
    ]);
    expect(placeholders(prompt.ids)).toBe(12);
    await encoder.prompt(asks(picture), { name: 'q' });
    expect(picture.reads).toBe(1);
    const patches = await encoder.patches(prompt);
    expect(patches?.grids).toEqual(prompt.grids);
    expect(patches?.pixels.byteLength).toBe(encoder.patchBytes(prompt));
    expect(picture.reads).toBe(3);
  });

  it('shows crops of long pictures as pictures of their own, where settings say so', async () => {
    const folder = join(dir, 'cropping');
    const own = await initModel(folder, { arch: 'tiny-gemma3', seed: 0 });
    const settings = {
      size: { height: 224, width: 224 },
      do_pan_and_scan: true,
      pan_and_scan_min_crop_size: 16,
    };
    await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(settings));
    const cropping = new PromptEncoder(own, await loadProcessor(folder, own));
    const pictures = [bytesPicture('wide', await png(90, 30)), bytesPicture('square', await png(40, 40))];
    const prompt = await cropping.prompt(asks(...pictures), { name: 'p' });
    expect(prompt.grids).toEqual(Array(5).fill([1, 16, 16]));
    const count = (token: number | undefined) => prompt.ids.filter((id) => id === token).length;
    expect([count(own.tokens.image), count(own.tokens.visionStart)]).toEqual([5 * 16, 5]);
    const patches = await cropping.patches(prompt);
    expect(patches?.pixels.byteLength).toBe(cropping.patchBytes(prompt));
    const { ids } = await cropping.text('<start_of_image>x', [pictures[1]], { name: 'p' });
    expect(ids.filter((id) => id === own.tokens.image)).toHaveLength(16);
  });

  it('encodes a text as it is, with pictures at its placeholders', async () => {
    const picture = bytesPicture('b', await png(56, 84));
    const { ids } = await encoder.text('<|image_pad|>x', [picture], { name: 'p' });
    expect([ids.length, placeholders(ids)]).toEqual([7, 6]);
    await expect(encoder.text('x', [picture], { name: 'p' })).rejects.toThrow('0 image placeholders');
    expect(await encoder.prepare(await encoder.text('xy', [], { name: 'p' }))).toEqual({
      ids: expect.any(Int32Array),
    });
  });

  it('teaches what a prompt would have been continued with', async () => {
    const question = asks(bytesPicture('c', await png(28, 56)));
    const prompt = await encoder.prompt(question, { name: 'p' });
    const lesson = await encoder.lesson([...question, { role: 'assistant', content: 'A lung.' }], {
      name: 'p',
    });
    expect(lesson.ids.subarray(0, prompt.ids.length)).toEqual(prompt.ids);
    expect(lesson.mask.indexOf(1)).toBe(prompt.ids.length);
  });

  it('gives the same with a template that is not known, which runs elsewhere', async () => {
    const folder = join(dir, 'other');
    await cp(join(dir, 'model'), folder, { recursive: true });
    await appendFile(join(folder, 'chat_template.jinja'), '{# not as published #}');
    const other = new PromptEncoder(config, await loadProcessor(folder, config));
    const question = asks(bytesPicture('f', await png(56, 84)));
    const lesson = [...question, { role: 'assistant', content: 'A lung.' }];
    expect(await other.prompt(question, { name: 'p' })).toEqual(
      await encoder.prompt(question, { name: 'p' }),
    );
    expect(await other.lesson(lesson, { name: 'p' })).toEqual(await encoder.lesson(lesson, { name: 'p' }));
    expect(await other.text('x y', [], { name: 'p' })).toEqual(await encoder.text('x y', [], { name: 'p' }));
  });

  it('refuses, by the name of the prompt, what the model cannot take', async () => {
    const picture = await counting('d');
    const blind = new PromptEncoder(await loadConfig(join(dir, 'blind')), processor);
    await expect(blind.prompt(asks(picture), { name: 'd.jsonl:3' })).rejects.toThrow(
      /^d\.jsonl:3 has images, but a qwen2 model cannot see; use /,
    );
    expect(picture.reads).toBe(0);
    const many = Array.from({ length: 513 }, () => picture);
    await expect(encoder.prompt(asks(...many), { name: 'd.jsonl:5' })).rejects.toThrow(
      'd.jsonl:5 has 513 pictures, more than 512; show fewer',
    );
    expect(picture.reads).toBe(0);
    const { ids } = await encoder.prompt(asks(picture), { name: 'p' });
    // Six cells in a column take three positions.
    const positions = ids.length - 3;
    const holding = (maxPositions: number) =>
      new PromptEncoder(
        Object.assign(Object.create(config), { text: { ...config.text, maxPositions } }),
        processor,
      );
    await expect(holding(positions + 1).prompt(asks(picture), { name: 'p' })).resolves.toBeDefined();
    await expect(holding(positions).prompt(asks(picture), { name: 'd.jsonl:4' })).rejects.toThrow(
      `d.jsonl:4 takes ${positions} positions, more than the model's ${positions} positions; shorten it`,
    );
    const room = { tokens: 9, field: 'max_new', fix: 'lower it' };
    await expect(holding(positions + 8).prompt(asks(picture), { name: 'p', room })).rejects.toThrow(
      `${positions} positions and max_new 9, more than the model's ${positions + 8} positions; lower it`,
    );
  });

  it('decodes no more of a prompt once a picture fails or nobody waits', async () => {
    const fine = bytesPicture('f.png', await png(56, 84));
    const pictures = Array.from({ length: 100 }, () => ({ ...fine, reads: 0 }));
    const counted = pictures.map((picture) => ({
      name: 'f.png',
      read: () => {
        picture.reads++;
        return fine.read();
      },
    }));
    const reads = () => pictures.reduce((sum, picture) => sum + picture.reads, 0);
    const broken = { name: 'g.png', read: async () => new Uint8Array() };
    await expect(processor.patches([broken, ...counted])).rejects.toThrow('g.png is empty');
    expect(reads()).toBeLessThan(100);
    const before = reads();
    await expect(processor.patches(counted, AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(reads()).toBe(before);
  });

  it('notices that a file has changed, and asks again for one that was not there', async () => {
    const file = join(dir, 'e.png');
    const prompt = () => encoder.prompt(asks(filePicture(file)), { name: 'p' });
    await expect(prompt()).rejects.toThrow(/e\.png does not exist/);
    await writeFile(file, await png(56, 56));
    const found = await prompt();
    await writeFile(file, await png(84, 56));
    await expect(encoder.patches(found)).rejects.toThrow(/e\.png has another size than before/);
  });
});

it('takes the settings from where transformers 5 keeps them', async () => {
  const odd = join(dir, 'joint');
  await initModel(odd, { arch: 'tiny-qwen3-vl', seed: 0 });
  const model = await loadConfig(odd);
  expect((await loadProcessor(odd, model)).imageConfig).toEqual(model.vision?.pictures);
  const template = join(odd, 'mine.jinja');
  await writeFile(template, 'hey');
  const told = await loadProcessor(odd, model, { chatTemplate: template });
  // Checkpoints get what the model was trained with.
  expect(told.files['chat_template.jinja']).toBe('hey');
  const encoded = await new PromptEncoder(model, told).prompt(asks(), { name: 'q' });
  expect(told.tokenizer.decode(encoded.ids)).toBe('hey');
  const size = { shortest_edge: 4096, longest_edge: 8192 };
  await writeFile(
    join(odd, 'processor_config.json'),
    JSON.stringify({ processor_class: 'Qwen3VLProcessor', image_processor: { size, patch_size: 16 } }),
  );
  const joint = await loadProcessor(odd, model);
  expect(joint.imageConfig).toEqual({ ...model.vision?.pictures, minPixels: 4096, maxPixels: 8192 });
  const found = await new PromptEncoder(model, joint).prompt(asks(bytesPicture('a', await png(64, 64))), {
    name: 'p',
  });
  expect(found.grids).toEqual([[1, 4, 4]]);
});

it('refuses patches that are not those of the model', async () => {
  const odd = join(dir, 'odd');
  await initModel(odd, { arch: 'tiny-qwen2-vl', seed: 0 });
  await writeFile(join(odd, 'preprocessor_config.json'), '{"patch_size": 1}');
  await expect(loadProcessor(odd, config)).rejects.toThrow(
    'odd/preprocessor_config.json has the patch_size 1, but config.json makes it 14',
  );
});

describe('reading ahead', () => {
  it('keeps the order and the bound, and fails in its place', async () => {
    let running = 0;
    let most = 0;
    const work = async (n: number) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, n % 3));
      running--;
      if (n === 7) throw new Error('seven');
      return n;
    };
    const numbers = Array.from({ length: 10 }, (_, i) => i);
    const found: number[] = [];
    const take = async () => {
      for await (const n of ahead(numbers, work, 4)) found.push(n);
    };
    await expect(take()).rejects.toThrow('seven');
    expect(found).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(most).toBe(4);
  });
});
