/** Hostile files: whatever the bytes, reading gives what lies on disk or throws a SafetensorsError. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoint } from './checkpoint.js';
import { DTYPES, dtypeBytes, elementCount } from './dtypes.js';
import { SafetensorsError } from './errors.js';
import { encode, pattern, useFolders } from './test-files.js';

const folder = useFolders(afterEach);
let dir: string;
beforeEach(async () => {
  dir = await folder();
});

type Entry = { dtype: string; shape: number[]; data_offsets: [number, number] };

/** Any valid header with its data. */
const valid = fc
  .record({
    tensors: fc.uniqueArray(
      fc.record({
        name: fc.string({ unit: 'grapheme', maxLength: 8 }).filter((name) => name !== '__metadata__'),
        dtype: fc.constantFrom(...DTYPES),
        shape: fc.array(fc.nat(4), { maxLength: 3 }),
      }),
      { selector: (tensor) => tensor.name, maxLength: 6 },
    ),
    metadata: fc.option(fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 })),
  })
  .map(({ tensors, metadata }) => {
    const entries: [string, unknown][] = metadata === null ? [] : [['__metadata__', metadata]];
    let offset = 0;
    for (const { name, dtype, shape } of tensors) {
      const end = offset + (elementCount(shape) ?? 0) * dtypeBytes(dtype);
      entries.push([name, { dtype, shape, data_offsets: [offset, end] } satisfies Entry]);
      offset = end;
    }
    return { header: Object.fromEntries(entries), data: pattern(offset, 7) };
  });

/**
 * Opens and reads everything. What is accepted must tile the data without gap and equal the disk; memory is bounded because
 * no tensor may be larger than the file.
 */
async function readOrRefuse(path: string, content: Uint8Array): Promise<'read' | 'refused'> {
  await writeFile(path, content);
  try {
    const checkpoint = await openCheckpoint(path);
    try {
      let total = 0;
      for (const name of checkpoint.names()) {
        const { offset, bytes, shape, dtype } = checkpoint.info(name);
        total += bytes;
        expect(bytes).toBe((elementCount(shape) ?? Number.NaN) * dtypeBytes(dtype));
        expect(offset + bytes).toBeLessThanOrEqual(content.length);
        const expected = Buffer.from(content.subarray(offset, offset + bytes));
        expect(expected.equals(await checkpoint.read(name))).toBe(true);
        const chunks: Buffer[] = [];
        for await (const chunk of checkpoint.chunks(name, 16)) chunks.push(Buffer.from(chunk));
        expect(expected.equals(Buffer.concat(chunks))).toBe(true);
      }
      const header = Number(new DataView(content.buffer, content.byteOffset).getBigUint64(0, true));
      expect(8 + header + total).toBe(content.length);
    } finally {
      await checkpoint.close();
    }
    return 'read';
  } catch (error) {
    if (error instanceof SafetensorsError) return 'refused';
    throw error;
  }
}

describe('safetensors files', () => {
  it('reads every valid file', async () => {
    await fc.assert(
      fc.asyncProperty(valid, async ({ header, data }) => {
        expect(await readOrRefuse(join(dir, 'x.safetensors'), encode(header, data))).toBe('read');
      }),
      { numRuns: 200 },
    );
  });

  it('never throws anything else on mutated bytes', async () => {
    const edit = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.nat(255) }),
      },
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
      fc.record({ kind: fc.constant('add' as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 20 }) }),
      fc.record({ kind: fc.constant('drop' as const), at: fc.nat(), count: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ kind: fc.constant('length' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        valid,
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        async ({ header, data }, edits) => {
          let content = Buffer.from(encode(header, data));
          for (const change of edits) {
            const at = 'at' in change && content.length > 0 ? change.at % content.length : 0;
            if (change.kind === 'set') content.set(content.length > 0 ? [change.byte] : [], at);
            else if (change.kind === 'cut') content = content.subarray(0, at);
            else if (change.kind === 'length') {
              if (content.length >= 8) content.writeBigUInt64LE(change.value);
            } else {
              const tail = content.subarray(change.kind === 'drop' ? at + change.count : at);
              const middle = change.kind === 'add' ? change.bytes : new Uint8Array(0);
              content = Buffer.concat([content.subarray(0, at), middle, tail]);
            }
          }
          await readOrRefuse(join(dir, 'x.safetensors'), content);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('never throws anything else on headers of the right form and wrong content', async () => {
    const number = fc.oneof(
      fc.constantFrom(0, 1, 4, 8, -1, -0, 0.5, 1e300, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, null),
      fc.nat(64),
    );
    const entry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom(...DTYPES), fc.string(), fc.jsonValue()),
        shape: fc.oneof(fc.array(number, { maxLength: 4 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(number, number), fc.array(number, { maxLength: 3 }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    const name = fc.oneof(fc.string(), fc.constantFrom('__metadata__', '__proto__', 'constructor'));
    await fc.assert(
      fc.asyncProperty(
        valid,
        fc.array(fc.tuple(name, fc.oneof({ weight: 5, arbitrary: entry }, fc.jsonValue())), { maxLength: 3 }),
        fc.nat(64),
        async ({ header, data }, added, extra) => {
          const merged = Object.fromEntries([...Object.entries(header), ...added]);
          const content = encode(merged, Buffer.concat([data, new Uint8Array(extra % 9)]));
          await readOrRefuse(join(dir, 'x.safetensors'), content);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('refuses one changed number in an otherwise valid header', async () => {
    await fc.assert(
      fc.asyncProperty(
        valid.filter(({ data }) => data.length > 0),
        fc.nat(),
        fc.nat(1),
        fc.integer({ min: -20, max: 20 }).filter((delta) => delta !== 0),
        async ({ header, data }, which, side, delta) => {
          const names = Object.keys(header).filter((name) => name !== '__metadata__');
          const entry = header[names[which % names.length]] as Entry;
          entry.data_offsets[side] += delta;
          expect(await readOrRefuse(join(dir, 'x.safetensors'), encode(header, data))).toBe('refused');
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('indexes', () => {
  it('never throws anything else on a mutated index', async () => {
    const U8 = { dtype: 'U8', shape: [1], data_offsets: [0, 1] };
    await writeFile(join(dir, 'a.safetensors'), encode({ a: U8 }, Uint8Array.of(1)));
    await writeFile(join(dir, 'b.safetensors'), encode({ b: U8 }, Uint8Array.of(2)));
    const path = join(dir, 'model.safetensors.index.json');
    const file = fc.oneof(fc.constantFrom('a.safetensors', 'b.safetensors', '../a.safetensors'), fc.string());
    const index = fc.oneof(
      fc
        .record({ weight_map: fc.record({ a: file, b: file }), metadata: fc.jsonValue() })
        .map((v) => JSON.stringify(v)),
      fc
        .record({ weight_map: fc.dictionary(fc.string(), fc.oneof(file, fc.jsonValue())) })
        .map((v) => JSON.stringify(v)),
      fc.json(),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(index, async (text) => {
        await writeFile(path, text);
        try {
          const checkpoint = await openCheckpoint(dir);
          for (const name of checkpoint.names()) {
            expect([...(await checkpoint.read(name))]).toEqual([name === 'a' ? 1 : 2]);
          }
          await checkpoint.close();
        } catch (error) {
          if (!(error instanceof SafetensorsError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});
