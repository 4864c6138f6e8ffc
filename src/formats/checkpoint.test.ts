import { execFileSync } from 'node:child_process';
import { mkdir, open, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FileError } from '../platform/errors.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { writeCheckpoint } from './checkpoint-writer.js';
import { SafetensorsError } from './errors.js';
import { encode, pattern, put, source, useFolders } from './test-files.js';
import { writeSafetensors } from './writer.js';

const folder = useFolders(afterEach);

async function using<T>(path: string, use: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer[]> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) copies.push(Buffer.from(chunk));
  return copies;
}

type Case = [what: string, make: (dir: string) => Promise<unknown>, message: RegExp];

async function refuses(...[, make, message]: Case): Promise<void> {
  const dir = await folder();
  await make(dir);
  const failure = openCheckpoint(join(dir, 'nowhere'));
  await expect(failure).rejects.toThrow(FileError);
  await expect(failure).rejects.toThrow(message);
}

describe('reading', () => {
  it('reads whole tensors, ranges, into buffers and in chunks', async () => {
    const path = join(await folder(), 'x.safetensors');
    await writeSafetensors(path, [source('a', 'F32', [5, 5], 1), source('b', 'BF16', [33], 2)]);
    await using(path, async (checkpoint) => {
      expect(checkpoint.names()).toEqual(['a', 'b']);
      expect(checkpoint.info('b')).toMatchObject({ dtype: 'BF16', shape: [33], bytes: 66, file: path });
      const b = pattern(66, 2);
      expect(await checkpoint.read('b')).toEqual(b);
      expect(await checkpoint.read('b', { range: { start: 5, end: 21 } })).toEqual(b.slice(5, 21));
      expect(await checkpoint.read('b', { range: { start: 66, end: 66 } })).toHaveLength(0);
      const target = new Uint8Array(10);
      await checkpoint.readInto('b', target, 50);
      expect(target).toEqual(b.slice(50, 60));
      // 20 is rounded down to 16, so that no element is split.
      const chunks = await collect(checkpoint.chunks('b', 20));
      expect(chunks.map((chunk) => chunk.length)).toEqual([16, 16, 16, 16, 2]);
      expect(new Uint8Array(Buffer.concat(chunks))).toEqual(b);
    });
  });

  it('streams every tensor through one staging buffer no larger than asked for', async () => {
    const path = join(await folder(), 'x.safetensors');
    await writeSafetensors(path, [
      source('a', 'U8', [10]),
      source('b', 'U8', [1000]),
      source('c', 'U8', [400]),
    ]);
    await using(path, async (checkpoint) => {
      const buffers = new Set<ArrayBufferLike>();
      for (const name of checkpoint.names()) {
        for await (const chunk of checkpoint.chunks(name, 128)) buffers.add(chunk.buffer);
      }
      expect([...buffers].map((buffer) => buffer.byteLength)).toEqual([128]);
      // An attacker's or a careless caller's number allocates no more than the data.
      for await (const chunk of checkpoint.chunks('a', Number.MAX_SAFE_INTEGER)) {
        expect(chunk.buffer.byteLength).toBe(1000);
      }
    });
  });

  it('keeps loops that overlap apart and survives a loop that stops early', async () => {
    const path = join(await folder(), 'x.safetensors');
    await writeSafetensors(path, [source('a', 'U8', [999], 1), source('b', 'U8', [777], 2)]);
    await using(path, async (checkpoint) => {
      for await (const _ of checkpoint.chunks('a', 64)) break;
      const [a, b] = await Promise.all([
        collect(checkpoint.chunks('a', 64)),
        collect(checkpoint.chunks('b', 8)),
      ]);
      expect(new Uint8Array(Buffer.concat(a))).toEqual(pattern(999, 1));
      expect(new Uint8Array(Buffer.concat(b))).toEqual(pattern(777, 2));
    });
  });

  it('refuses ranges and chunk sizes that make no sense, and unknown names', async () => {
    const path = join(await folder(), 'x.safetensors');
    await writeSafetensors(path, [source('a', 'U8', [8])]);
    await using(path, async (checkpoint) => {
      for (const [start, end] of [
        [-1, 2],
        [0, 9],
        [5, 4],
        [0.5, 2],
        [Number.NaN, 2],
      ] as const) {
        await expect(checkpoint.read('a', { range: { start, end } })).rejects.toThrow(RangeError);
      }
      for (const size of [0, 7, -8, 8.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(checkpoint.chunks('a', size).next()).rejects.toThrow(RangeError);
      }
      await expect(checkpoint.read('nope')).rejects.toThrow(/tensor "nope" is not in the checkpoint/);
      expect(() => checkpoint.info('toString')).toThrow(SafetensorsError);
    });
  });

  it('reads past 4 GB by offset', async () => {
    const path = join(await folder(), 'big.safetensors');
    const start = 5 * 2 ** 30;
    const header = encode({
      big: { dtype: 'BF16', shape: [start / 2], data_offsets: [0, start] },
      small: { dtype: 'U8', shape: [4], data_offsets: [start, start + 4] },
    });
    // A sparse file: five gigabytes of hole cost no disk.
    const handle = await open(path, 'w');
    await handle.write(header);
    await handle.write(Buffer.from([1, 2, 3, 4]), 0, 4, header.length + start);
    await handle.close();
    await using(path, async (checkpoint) => {
      expect(checkpoint.info('big').bytes).toBe(start);
      expect(await checkpoint.read('small')).toEqual(Uint8Array.of(1, 2, 3, 4));
      const range = { start: start - 6, end: start };
      expect(await checkpoint.read('big', { range })).toEqual(new Uint8Array(6));
      await expect(checkpoint.read('big')).rejects.toThrow(/too many for one array; read it in chunks/);
      for await (const chunk of checkpoint.chunks('big', 1024)) {
        expect(chunk).toHaveLength(1024);
        break;
      }
    });
  });

  it('says so when the file shrinks or closes under it', async () => {
    const path = join(await folder(), 'x.safetensors');
    await writeSafetensors(path, [source('a', 'U8', [800])]);
    const checkpoint = await openCheckpoint(path);
    await truncate(path, 300);
    await expect(checkpoint.read('a')).rejects.toThrow(/ends at byte 300; it was truncated while/);
    await checkpoint.close();
    await checkpoint.close();
    await expect(checkpoint.read('a')).rejects.toThrow(FileError);
  });
});

describe('finding the checkpoint', () => {
  it('reads single files, shards, adapters and indexes by folder or path', async () => {
    const single = await folder();
    await writeCheckpoint(single, [source('a', 'U8', [8])]);
    const adapter = await folder();
    await writeCheckpoint(adapter, [source('a', 'U8', [8])], { base: 'adapter_model' });
    const other = await folder();
    await writeSafetensors(join(other, 'weights.safetensors'), [source('a', 'U8', [8])]);
    const sharded = await folder();
    await writeCheckpoint(sharded, [source('a', 'U8', [8]), source('b', 'U8', [8])], { maxShardBytes: 8 });
    const index = join(sharded, 'model.safetensors.index.json');
    for (const path of [single, adapter, other, sharded, index]) {
      await using(path, async (checkpoint) => {
        expect(checkpoint.has('a')).toBe(true);
        expect(checkpoint.metadata()).toEqual(path === other ? {} : { format: 'pt' });
        expect(checkpoint.warnings).toEqual([]);
      });
    }
  });

  it.skipIf(process.platform === 'win32')(
    'follows links, as the Hugging Face cache is made of them',
    async () => {
      const dir = await folder();
      await mkdir(join(dir, 'blobs'));
      await mkdir(join(dir, 'snapshot'));
      await writeSafetensors(join(dir, 'blobs', 'abc'), [source('a', 'U8', [8])]);
      await symlink('../blobs/abc', join(dir, 'snapshot', 'model.safetensors'));
      await using(join(dir, 'snapshot'), async (checkpoint) => expect(checkpoint.names()).toEqual(['a']));
    },
  );

  it.each<Case>([
    ['missing', async () => {}, /nowhere does not exist/],
    ['empty folder', (dir) => mkdir(join(dir, 'nowhere')), /has no .safetensors file$/],
    [
      'pickles',
      async (dir) => {
        await mkdir(join(dir, 'nowhere'));
        await put(join(dir, 'nowhere'), 'pytorch_model.bin', '');
      },
      /has PyTorch pickles, convert them/,
    ],
    [
      'a lone shard',
      async (dir) => {
        await mkdir(join(dir, 'nowhere'));
        await put(join(dir, 'nowhere'), 'model-00001-of-00002.safetensors', encode('{}'));
      },
      /one of 2 shards and no index/,
    ],
    [
      'files without an index',
      async (dir) => {
        await mkdir(join(dir, 'nowhere'));
        await put(join(dir, 'nowhere'), 'a.safetensors', encode('{}'));
        await put(join(dir, 'nowhere'), 'b.safetensors', encode('{}'));
      },
      /has 2 .safetensors files and no index; name the one/,
    ],
  ])('%s', refuses);

  it.skipIf(process.platform === 'win32').each<Case>([
    // Opening a pipe that nobody writes would hang.
    ['named pipe', async (dir) => execFileSync('mkfifo', [join(dir, 'nowhere')]), /not a regular file/],
    ['link to itself', (dir) => symlink('nowhere', join(dir, 'nowhere')), /leads back to itself/],
  ])('%s', refuses);
});

describe('shards and index', () => {
  const U8 = { dtype: 'U8', shape: [1], data_offsets: [0, 1] };

  /** A folder with shards s1 (tensor a) and s2 (tensor b), and the given index. */
  async function sharded(index: unknown, second: object = { b: U8 }): Promise<string> {
    const dir = await folder();
    await put(
      dir,
      's1.safetensors',
      encode({ a: U8, __metadata__: { k: '1', one: 'x' } }, Uint8Array.of(10)),
    );
    await put(dir, 's2.safetensors', encode({ ...second, __metadata__: { k: '2' } }, Uint8Array.of(20)));
    const text = typeof index === 'string' ? index : JSON.stringify(index);
    await put(dir, 'model.safetensors.index.json', text);
    return dir;
  }
  const good = { a: 's1.safetensors', b: 's2.safetensors' };

  it('presents shards as one checkpoint', async () => {
    const dir = await sharded({ metadata: { total_size: 2 }, weight_map: good });
    await using(dir, async (checkpoint) => {
      expect(checkpoint.names()).toEqual(['a', 'b']);
      expect(await checkpoint.read('a')).toEqual(Uint8Array.of(10));
      expect(await checkpoint.read('b')).toEqual(Uint8Array.of(20));
      expect(checkpoint.info('b').file).toBe(join(dir, 's2.safetensors'));
      expect(checkpoint.metadata()).toEqual({ k: '1', one: 'x' });
      expect(checkpoint.warnings).toEqual([]);
    });
  });

  it('warns of a wrong total_size, which published checkpoints have', async () => {
    await using(await sharded({ metadata: { total_size: 4 }, weight_map: good }), async (checkpoint) => {
      expect(checkpoint.warnings).toHaveLength(1);
      expect(checkpoint.warnings[0]).toMatch(/total_size 4, but its tensors have 2 bytes/);
    });
  });

  const map = (weight_map: unknown) => ({ weight_map });
  it.each<[string, unknown, RegExp]>([
    ['bad JSON', '{"weight_map":', /not valid JSON/],
    ['a list', '[]', /not an object/],
    ['duplicate', '{"weight_map":{"a":"s1.safetensors","a":"s2.safetensors"}}', /has the key "a" twice/],
    ['no weight_map', {}, /has nothing for weight_map/],
    ['weight_map a list', map([]), /for weight_map/],
    ['shard a number', map({ a: 1 }), /tensor "a" has 1 for its shard/],
    [
      'shard missing',
      map({ ...good, c: 's3.safetensors' }),
      /names the shard "s3.safetensors", which does not exist/,
    ],
    ['tensor missing', map({ ...good, c: 's2.safetensors' }), /tensor "c" is not in "s2.safetensors"/],
    ['tensor not listed', map({ a: 's1.safetensors', x: 's2.safetensors' }), /tensor "x" is not in/],
    [
      'tensor elsewhere',
      map({ a: 's2.safetensors', b: 's1.safetensors' }),
      /tensor "a" is not in "s2.safetensors"/,
    ],
    ...[
      '../s1.safetensors',
      '/etc/s1.safetensors',
      'a/../s1.safetensors',
      'sub/s1.safetensors',
      '..\\s1.safetensors',
      'C:s1.safetensors',
      's1.safetensors\0',
      '..',
      '',
      's1.bin',
      './s1.safetensors',
    ].map((name): [string, unknown, RegExp] => [
      `shard name ${JSON.stringify(name)}`,
      map({ ...good, a: name }),
      /without a folder/,
    ]),
  ])('%s', async (_, index, message) => {
    const failure = openCheckpoint(await sharded(index));
    await expect(failure).rejects.toThrow(SafetensorsError);
    await expect(failure).rejects.toThrow(message);
  });

  it('refuses tensors that shards have and the index does not, or in two shards', async () => {
    const extra = { b: { ...U8, shape: [0], data_offsets: [0, 0] }, c: U8 };
    await expect(openCheckpoint(await sharded({ weight_map: good }, extra))).rejects.toThrow(
      /tensor "c" is in "s2.safetensors", but the index does not list it/,
    );
    const twice = { b: { ...U8, shape: [0], data_offsets: [0, 0] }, a: U8 };
    await expect(openCheckpoint(await sharded({ weight_map: good }, twice))).rejects.toThrow(
      /tensor "a" is in "s2.safetensors", but the index puts it in "s1.safetensors"/,
    );
  });
});
