import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type PullOptions, type PullProgress, pullModel } from './pull.js';

const COMMIT = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';
const weights = Buffer.from(Float64Array.from({ length: 40_000 }, (_, i) => Math.sin(i)).buffer);

/** A hub with one model, as the API of huggingface.co describes it. */
class Hub {
  readonly files = new Map<string, Buffer>([
    ['config.json', Buffer.from('{"model_type": "qwen2"}')],
    ['model.safetensors', weights],
    ['pytorch_model.bin', Buffer.from('the same in another format')],
    ['.gitattributes', Buffer.alloc(0)],
    ['onnx/config.json', Buffer.from('{}')],
  ]);
  /** First bytes of the weights that were asked for, probes of one byte apart. */
  readonly reads: number[] = [];
  /** Answers of a file that end early, by how many bytes they have. */
  readonly cuts: number[] = [];
  readonly tokens = new Set<string | undefined>();
  unavailable = 0;
  readonly server: Server = createServer((request, response) => this.#answer(request, response));

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url as string, 'http://hub');
    this.tokens.add(request.headers.authorization);
    const json = (status: number, value: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const content = this.files.get(pathname.split(`/org/model/resolve/${COMMIT}/`)[1]);
    if (this.unavailable > 0) {
      this.unavailable--;
      json(503, { error: 'overloaded' });
    } else if (pathname.startsWith('/api/models/org/model/revision/main')) {
      json(200, { id: 'org/model', _id: '1', sha: COMMIT });
    } else if (pathname === `/api/models/org/model/tree/${COMMIT}`) json(200, this.#tree());
    else if (content) this.#send(content, request, response);
    else json(404, { error: 'not found' });
  }

  #send(content: Buffer, request: IncomingMessage, response: ServerResponse): void {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = to === undefined ? content.length : Math.min(Number(to) + 1, content.length);
    const range = { 'content-range': `bytes ${start}-${end - 1}/${content.length}` };
    const headers = { etag: '"1"', 'content-length': end - start, ...(from === undefined ? {} : range) };
    response.writeHead(from === undefined ? 200 : 206, headers);
    const probe = from !== undefined && end - start === 1;
    const cut = content === weights && !probe ? this.cuts.shift() : undefined;
    if (content.length === weights.length && !probe) this.reads.push(start);
    if (cut === undefined) response.end(content.subarray(start, end));
    else {
      response.write(content.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 20));
    }
  }

  #tree(): object[] {
    return [...this.files].map(([path, content]) => {
      const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
      const sha256 = createHash('sha256').update(content).digest('hex');
      const lfs = { oid: sha256, size: content.length, pointerSize: 130 };
      return { type: 'file', path, size: content.length, oid, ...(content === weights ? { lfs } : {}) };
    });
  }
}

let hub: Hub;
let dir: string;
let options: PullOptions;

beforeEach(async () => {
  hub = new Hub();
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
