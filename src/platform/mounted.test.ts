/** Files that are mounted among those in memory. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { PlaceError } from './errors.js';
import { MemoryFiles } from './memory-files.js';

const MIB = 1 << 20;
const CONTENT = Uint8Array.from({ length: 9 * MIB + 5 }, (_, i) => (i * 31 + (i >> 8)) & 255);

let server: Server;
let base: string;
/** Ranges that were asked for. */
const asked: (string | undefined)[] = [];
let givesRanges = true;
let content = CONTENT;

beforeAll(async () => {
  server = createServer((request, response) => {
    const { range } = request.headers;
    asked.push(range);
    if (request.url?.endsWith('missing')) return void response.writeHead(404).end();
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(range ?? '') ?? [];
    if (!givesRanges || from === undefined) return void response.end(content);
    if (content.length === 0) return void response.writeHead(416).end();
    const body = content.subarray(Number(from), Number(to) + 1);
    const last = Number(from) + body.length - 1;
    response.writeHead(206, { 'Content-Range': `bytes ${from}-${last}/${content.length}` }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
afterEach(() => {
  asked.length = 0;
  givesRanges = true;
  content = CONTENT;
});

/** Reads all of a file in small pieces in order, as tensors are read, and one piece twice. */
async function readInPieces(files: MemoryFiles, path: string, piece: number): Promise<Uint8Array> {
  const file = await files.open(path);
  const bytes = new Uint8Array(file.byteLength);
  for (let at = 0; at < bytes.length; at += piece) {
    const target = bytes.subarray(at, at + piece);
    expect(await file.read(target, at)).toBe(target.length);
    expect(await file.read(target, at)).toBe(target.length);
  }
  await file.close();
  return bytes;
}

it('fetches a file in few requests, however small the pieces are', async () => {
  const files = new MemoryFiles();
  files.mount('/models/a', base, ['a b/model.safetensors', 'config.json']);
  expect(await files.list('/models/a')).toEqual(['a b', 'config.json']);
  expect(asked).toEqual([]);
  expect(Buffer.compare(await readInPieces(files, '/models/a/a b/model.safetensors', 100_003), CONTENT)).toBe(
    0,
  );
  expect(asked.length).toBe(3);
});

it('fetches what is large as it is asked for', async () => {
  const files = new MemoryFiles();
  files.mount('/model', `${base}/model`);
  const file = await files.open('/model');
  const target = new Uint8Array(5 * MIB);
  expect(await file.read(target, 4 * MIB)).toBe(5 * MIB);
  expect(Buffer.compare(target, CONTENT.subarray(4 * MIB, 9 * MIB))).toBe(0);
  expect(asked).toEqual([`bytes=0-${4 * MIB - 1}`, `bytes=${4 * MIB}-${9 * MIB - 1}`]);
});

it('fetches the whole, once, where a server gives no parts', async () => {
  givesRanges = false;
  const files = new MemoryFiles();
  files.mount('/model', new URL(`${base}/model`));
  for (let time = 0; time < 2; time++) {
    expect(Buffer.compare(await readInPieces(files, '/model', MIB), CONTENT)).toBe(0);
  }
  expect(asked.length).toBe(1);
});

it('says what is wrong with an address', async () => {
  const files = new MemoryFiles();
  files.mount('/missing', `${base}/missing`);
  await expect(files.open('/missing')).rejects.toMatchObject({ missing: true });
  files.mount('/nobody', 'http://127.0.0.1:1/x');
  await expect(files.open('/nobody')).rejects.toThrow(
    /^\/nobody cannot be fetched from http:.*is the server there/,
  );
  files.mount('/changing', `${base}/changing`);
  const file = await files.open('/changing');
  content = CONTENT.subarray(1);
  await expect(file.read(new Uint8Array(8), 5 * MIB)).rejects.toThrow('/changing changed while it was read');
  content = new Uint8Array();
  expect((await files.open('/changing')).byteLength).toBe(0);
});

it('mounts what was chosen, at its place below the folder', async () => {
  const files = new MemoryFiles();
  const chosen = [
    new File(['{}'], 'config.json'),
    Object.assign(new File(['abc'], 'x'), { webkitRelativePath: 'chosen/deep/x' }),
  ];
  files.mount('/model', chosen);
  files.mount('/picture', new Blob(['picture']));
  expect(await files.list('/model')).toEqual(['config.json', 'deep']);
  expect(await files.digest('/model/deep/x')).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
  const bytes = await readInPieces(files, '/picture', 3);
  expect(new TextDecoder().decode(bytes)).toBe('picture');
});

it('lets nobody write into what is mounted, and takes it away like any file', async () => {
  const files = new MemoryFiles();
  files.mount('/a/f', new Blob(['x']));
  await expect(files.append('/a/f')).rejects.toThrow(PlaceError);
  await expect(files.truncate('/a/f', 0)).rejects.toThrow(
    '/a/f is mounted to be read only; write to another path',
  );
  expect(() => files.mount('/a', new Blob(['x']))).toThrow('/a is a folder, not a file');
  await files.remove('/a');
  expect(await files.kind('/a/f')).toBeUndefined();
});
