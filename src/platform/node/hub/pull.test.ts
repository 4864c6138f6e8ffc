import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type PullOptions, type PullProgress, pullModel } from './pull.js';
import { COMMIT, Hub, weights } from './test-hub.js';

let hub: Hub;
let dir: string;
let options: PullOptions;

beforeEach(async () => {
  hub = new Hub(/^org\/model$/);
  dir = await mkdtemp(join(tmpdir(), 'osler-hub-'));
  options = { model: 'org/model', dir, hubUrl: await hub.open(), retryDelay: 1 };
});

afterEach(async () => {
  await hub.close();
  await rm(dir, { recursive: true });
});

it('fetches what a model is loaded from, and nothing twice', async () => {
  const seen: PullProgress[] = [];
  const result = await pullModel({ ...options, token: 'hf_secret', onProgress: (p) => seen.push(p) });
  expect((await readdir(dir)).sort()).toEqual(['config.json', 'model.safetensors']);
  expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
  expect(result).toMatchObject({ commit: COMMIT, readBytes: weights.length + 23 });
  expect(hub.tokens).toEqual(new Set(['Bearer hf_secret']));
  const last = seen.at(-1);
  expect(last?.bytes).toBe(last?.totalBytes);
  expect((await pullModel(options)).readBytes).toBe(0);
});

it('fetches everything on request, into folders', async () => {
  await pullModel({ ...options, all: true });
  expect((await readdir(dir, { recursive: true })).sort()).toEqual([...hub.files.keys(), 'onnx'].sort());
});

it('takes up a broken connection where it broke', async () => {
  hub.cuts.push(100_000, 50_000);
  await pullModel(options);
  expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
  const [first, second, third] = hub.reads;
  expect(first).toBe(0);
  expect(second).toBeGreaterThan(0);
  expect(third).toBeGreaterThan(second);
});

it('goes on in another process after the hub was gone', async () => {
  hub.cuts.push(200_000);
  await expect(pullModel({ ...options, retries: 0 })).rejects.toThrow(/org\/model.*goes on from there/);
  const part = (await stat(join(dir, 'model.safetensors.part'))).size;
  expect(part).toBeGreaterThan(0);
  hub.unavailable = 2;
  const result = await pullModel(options);
  expect(result.readBytes).toBe(weights.length - part);
  expect(hub.reads).toEqual([0, part]);
});

it('starts again where an earlier part or file is not of this version', async () => {
  await writeFile(join(dir, 'model.safetensors.part'), Buffer.alloc(1000, 7));
  await writeFile(join(dir, 'config.json'), '{"model_type": "llama"}');
  await pullModel(options);
  expect(hub.reads).toEqual([1000, 0]);
  expect(await readFile(join(dir, 'model.safetensors'))).toEqual(weights);
  expect(await readFile(join(dir, 'config.json'), 'utf8')).toContain('qwen2');
});

it('never gives a damaged file its name', async () => {
  const damaged = Buffer.from(weights);
  const tree = hub.files.get('model.safetensors');
  expect(tree).toBe(weights);
  // The list still describes what the author uploaded.
  const get = hub.files.get.bind(hub.files);
  hub.files.get = (name) => (name === 'model.safetensors' ? damaged : get(name));
  damaged[1234] ^= 1;
  await expect(pullModel(options)).rejects.toThrow(/model\.safetensors has the checksum .* should have/);
  expect(await readdir(dir)).toEqual(['config.json']);
});

it('follows a list through its pages, but not without end', async () => {
  hub.nextPage = (page) => (page < 3 ? page + 1 : undefined);
  await pullModel(options);
  hub.nextPage = (page) => page + 1;
  await expect(pullModel(options)).rejects.toThrow('org/model has a list of files of more than 200 pages');
  hub.nextPage = (page) => 1 - page;
  await expect(pullModel(options)).rejects.toThrow('a list of files that leads back to its own pages');
});

it('sends no token where others can read it', async () => {
  const hubUrl = 'http://hub.invalid';
  await expect(pullModel({ ...options, hubUrl, token: 'hf_secret', retries: 0 })).rejects.toThrow(
    'HF_TOKEN is not sent to http://hub.invalid, where all on the way could read it; give HF_ENDPOINT',
  );
  await expect(pullModel({ ...options, hubUrl, retries: 0 })).rejects.toThrow(/hub\.invalid failed/);
  await expect(pullModel({ ...options, hubUrl: 'hub.invalid' })).rejects.toThrow(
    /HF_ENDPOINT hub\.invalid is/,
  );
});

it('says what is wrong in one sentence', async () => {
  await expect(pullModel({ ...options, model: 'model' })).rejects.toThrow(/ORG\/NAME/);
  await expect(pullModel({ ...options, model: 'org/other' })).rejects.toThrow(/org\/other does not exist/);
  hub.files.delete('model.safetensors');
  await expect(pullModel(options)).rejects.toThrow(/no safetensors/);
  hub.files.set('../escape.json', Buffer.from('{}'));
  await expect(pullModel({ ...options, all: true })).rejects.toThrow(/leaves the folder/);
  await hub.close();
  await expect(pullModel({ ...options, retries: 1 })).rejects.toThrow(/failed \(.*ECONNREFUSED/);
});
