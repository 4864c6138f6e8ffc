import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.js';
import { writeCheckpoint } from './checkpoint-writer.js';
import { DTYPES } from './dtypes.js';
import { SafetensorsError } from './errors.js';
import { pattern, source, useFolders } from './test-files.js';
import { type TensorSource, writeSafetensors } from './writer.js';

/** The independent reader; it has no types. */
const { SafeTensor } = createRequire(import.meta.url)('safetensors') as {
  SafeTensor: new (
    bytes: Uint8Array,
  ) => {
    metadata: Map<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
    getTensor(name: string): Uint8Array;
  };
};

const folder = useFolders(afterEach);
const names = ['model.a', 'é', '10', '2', '__proto__', 'q"uote\\', '😀'];
const everyDtype = DTYPES.map((dtype, i) => source(`t.${dtype}`, dtype, [3, i % 4], i));

describe('one file', () => {
  it('is read back by our reader and by the npm safetensors package', async () => {
    const path = join(await folder(), 'x.safetensors');
    const sources = [
      ...everyDtype,
      ...names.map((name, i) => source(name, 'BF16', [7], i)),
      source('s', 'F32', []),
    ];
    await writeSafetensors(path, sources);
    // The package reads the header at the start of its array's buffer, and Node's file buffers may share one.
    const peer = new SafeTensor(new Uint8Array(await readFile(path)));
    const checkpoint = await openCheckpoint(path);
    expect([...peer.metadata.keys()].sort()).toEqual(checkpoint.names().sort());
    expect(checkpoint.names()).toHaveLength(sources.length);
    for (const { name, dtype, shape, data } of sources) {
      expect(checkpoint.info(name)).toMatchObject({ dtype, shape });
      expect(peer.metadata.get(name)).toMatchObject({ dtype, shape });
      expect(await checkpoint.read(name)).toEqual(data());
      expect(new Uint8Array(peer.getTensor(name))).toEqual(data());
    }
    await checkpoint.close();
  });

  it('has the same bytes in whatever order tensors and metadata come', async () => {
    const dir = await folder();
    const [a, b] = [join(dir, 'a'), join(dir, 'b')];
    await writeSafetensors(a, everyDtype, { metadata: { x: '1', 10: '2', a: 'é' } });
    await writeSafetensors(b, [...everyDtype].reverse(), { metadata: { a: 'é', 10: '2', x: '1' } });
    expect((await readFile(a)).equals(await readFile(b))).toBe(true);
  });

  it('aligns the data to eight bytes and each tensor to its elements', async () => {
    const dir = await folder();
    for (let length = 0; length < 9; length++) {
      const path = join(dir, `${length}.safetensors`);
      const odd = [source('b', 'BOOL', [3]), source('h', 'F16', [3]), source('w', 'F32', [3])];
      await writeSafetensors(path, [...odd, source('x'.repeat(length + 2), 'I64', [1])]);
      const checkpoint = await openCheckpoint(path);
      const [first] = checkpoint.names();
      expect(checkpoint.info(first).offset % 8).toBe(0);
      for (const { name, item } of [
        { name: 'h', item: 2 },
        { name: 'w', item: 4 },
      ]) {
        expect(checkpoint.info(name).offset % item).toBe(0);
      }
      await checkpoint.close();
    }
  });

  it('keeps metadata, which the reference writer puts first', async () => {
    const path = join(await folder(), 'x.safetensors');
    const metadata = { format: 'pt', kind: 'forward', 'quo"te': 'line\nbreak' };
    await writeSafetensors(path, [source('a', 'U8', [1])], { metadata });
    expect((await readFile(path)).subarray(8, 24).toString()).toBe('{"__metadata__":');
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.metadata()).toEqual(metadata);
    await checkpoint.close();
  });

  it('writes a file without tensors', async () => {
    const path = join(await folder(), 'x.safetensors');
    await writeSafetensors(path, []);
    expect((await readFile(path)).toString('latin1')).toBe('\x08\0\0\0\0\0\0\0{}      ');
  });

  it('asks for one tensor at a time and one piece at a time', async () => {
    const path = join(await folder(), 'x.safetensors');
    let alive = 0;
    const shared = new Uint8Array(8);
    const streamed = (name: string): TensorSource => ({
      name,
      dtype: 'U8',
      shape: [24],
      async data() {
        alive++;
        expect(alive).toBe(1);
        return (async function* () {
          // One array for all pieces: right only if each is on disk before the next is made.
          for (let i = 0; i < 3; i++) yield shared.fill(i);
          alive--;
        })();
      },
    });
    await writeSafetensors(path, ['a', 'b', 'c'].map(streamed));
    const checkpoint = await openCheckpoint(path);
    const expected = Uint8Array.from({ length: 24 }, (_, i) => Math.floor(i / 8));
    for (const name of ['a', 'b', 'c']) expect(await checkpoint.read(name)).toEqual(expected);
    await checkpoint.close();
  });

  it('copies from a checkpoint through its staging buffer, and takes any typed array', async () => {
    const dir = await folder();
    const [from, to] = [join(dir, 'from.safetensors'), join(dir, 'to.safetensors')];
    const floats = Float32Array.of(1, -2, Number.NaN, 4).subarray(1);
    await writeSafetensors(from, [
      { name: 'f', dtype: 'F32', shape: [3], data: () => floats },
      { name: 'l', dtype: 'I64', shape: [1], data: async () => BigInt64Array.of(-100n) },
      source('u', 'U8', [1001]),
    ]);
    const checkpoint = await openCheckpoint(from);
    const copies = checkpoint.names().map((name): TensorSource => {
      const { dtype, shape } = checkpoint.info(name);
      return { name, dtype, shape, data: () => checkpoint.chunks(name, 64) };
    });
    await writeSafetensors(to, copies);
    await checkpoint.close();
    expect((await readFile(from)).equals(await readFile(to))).toBe(true);
  });
});

describe('what cannot be written', () => {
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) yield new Uint8Array(3);
  };
  const good = source('a', 'U8', [4]);
  it.each<[string, TensorSource[], RegExp]>([
    ['duplicate', [good, good], /tensor "a" is given twice/],
    ['reserved name', [source('__metadata__', 'U8', [1])], /keeps for itself/],
    ['half a surrogate pair', [source('\ud800', 'U8', [1])], /surrogate/],
    ['dtype', [{ ...good, dtype: 'FP4' as 'U8' }], /unknown dtype "FP4"/],
    ['negative shape', [source('a', 'U8', [-1])], /has the size -1/],
    ['fractional shape', [source('a', 'U8', [0.5])], /has the size 0.5/],
    ['huge shape', [source('a', 'F64', [2 ** 52])], /more than 2\^53-1/],
    [
      'huge sum',
      [source('a', 'U8', [2 ** 53 - 1]), source('b', 'U8', [2 ** 53 - 1])],
      /more than 2\^53-1 bytes/,
    ],
    ['too few bytes', [{ ...good, data: () => new Uint8Array(3) }], /gave 3 bytes, but U8 \[4\] takes 4/],
    [
      'too many bytes',
      [{ ...good, data: () => new Uint8Array(5) }],
      /gave 5 bytes or more, but U8 \[4\] takes 4/,
    ],
    ['endless', [{ ...good, data: endless }], /gave 6 bytes or more/],
    [
      'header over the limit',
      [source('x'.repeat(1e8), 'U8', [0])],
      /header of 1000000\d\d bytes, over the limit/,
    ],
  ])('%s: a clear error, and the old file stays', async (_, sources, message) => {
    const dir = await folder();
    const path = join(dir, 'x.safetensors');
    await writeFile(path, 'old');
    const failure = writeSafetensors(path, sources);
    await expect(failure).rejects.toThrow(SafetensorsError);
    await expect(failure).rejects.toThrow(message);
    expect(await readdir(dir)).toEqual(['x.safetensors']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('refuses metadata that is not text', async () => {
    const path = join(await folder(), 'x.safetensors');
    const metadata = { step: 3 as unknown as string };
    await expect(writeSafetensors(path, [], { metadata })).rejects.toThrow(
      /get 3 for "step" in __metadata__/,
    );
  });

  it('passes a provider’s own error on and leaves nothing behind', async () => {
    const dir = await folder();
    const failing = { ...good, data: () => Promise.reject(new Error('device lost')) };
    await expect(writeSafetensors(join(dir, 'x'), [failing])).rejects.toThrow('device lost');
    await expect(
      writeCheckpoint(dir, [source('b', 'U8', [9]), failing], { maxShardBytes: 9 }),
    ).rejects.toThrow('lost');
    expect(await readdir(dir)).toEqual([]);
  });
});

describe('checkpoint folders', () => {
  const five = ['a', 'b', 'c', 'd', 'e'].map((name, i) => source(name, 'U8', [(i + 1) * 10], i));

  it('fills shards in order up to the limit; a larger tensor gets its own', async () => {
    const dir = await folder();
    const written = await writeCheckpoint(dir, five, { maxShardBytes: 45 });
    // 10 + 20, 30, 40, 50
    expect(written.files).toEqual([1, 2, 3, 4].map((i) => `model-0000${i}-of-00004.safetensors`));
    expect(written).toMatchObject({ index: 'model.safetensors.index.json', totalBytes: 150 });
    expect((await readdir(dir)).sort()).toEqual([...written.files, written.index].sort());
    const index = await readFile(join(dir, 'model.safetensors.index.json'), 'utf8');
    const map = { a: 1, b: 1, c: 2, d: 3, e: 4 };
    const weight_map = Object.fromEntries(
      Object.entries(map).map(([name, i]) => [name, written.files[i - 1]]),
    );
    expect(index).toBe(`${JSON.stringify({ metadata: { total_size: 150 }, weight_map }, null, 2)}\n`);
    const checkpoint = await openCheckpoint(dir);
    expect(checkpoint.warnings).toEqual([]);
    for (const [i, { name }] of five.entries()) {
      expect(await checkpoint.read(name)).toEqual(pattern((i + 1) * 10, i));
    }
    await checkpoint.close();
  });

  it('removes shards of an earlier save and nothing else', async () => {
    const dir = await folder();
    for (const name of ['config.json', 'model.txt', 'model-extra.safetensors', 'adapter_model.safetensors']) {
      await writeFile(join(dir, name), '');
    }
    const before = (await readdir(dir)).sort();
    await writeCheckpoint(dir, five, { maxShardBytes: 45 });
    await writeCheckpoint(dir, five);
    expect((await readdir(dir)).sort()).toEqual([...before, 'model.safetensors'].sort());
    const { files } = await writeCheckpoint(dir, five, { maxShardBytes: 100 });
    expect((await readdir(dir)).sort()).toEqual([...before, ...files, 'model.safetensors.index.json'].sort());
  });

  it('refuses a shard size that is not one', async () => {
    const dir = await folder();
    for (const maxShardBytes of [0, -1, Number.NaN]) {
      await expect(writeCheckpoint(dir, five, { maxShardBytes })).rejects.toThrow(RangeError);
    }
  });
});
