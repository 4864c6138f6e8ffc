import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { backward, embedding as embeddingOp, gradcheck, gradients } from '../src/autograd/index.js';
import type { Gpu } from '../src/gpu/index.js';
import { embedding } from '../src/kernels/embedding.js';
import { type DType, decode, encode, fromHost, scope, type Tensor, tensor } from '../src/tensor/index.js';
import { expectClose, random } from './support/compare.js';
import { fixture } from './support/fixture.js';
import { testGpu } from './support/gpu.js';
import { randomIds, scatterReference } from './support/rows.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

/** Leaves NaN in the pool's memory of this size, to show elements that a kernel forgets to write. */
function poison(on: Gpu, size: number): void {
  tensor(on, new Float32Array(size).fill(Number.NaN)).dispose();
}

function gatherReference(table: Float32Array, ids: Int32Array, dim: number): Float32Array {
  const vocab = table.length / dim;
  const out = new Float32Array(ids.length * dim);
  ids.forEach((id, t) => {
    if (id >= 0 && id < vocab) out.set(table.subarray(id * dim, (id + 1) * dim), t * dim);
  });
  return out;
}

describe('gather', () => {
  test.each(['f32', 'f16', 'bf16'] as const)('%s rows are copied exactly, any size', async (dtype: DType) => {
    const shape = fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 70 }));
    await fc.assert(
      fc.asyncProperty(shape, fc.integer({ min: 1, max: 300 }), async ([vocab, dim], tokens) => {
        const stored = encode(random(vocab * dim, dim), dtype);
        const ids = randomIds(tokens, vocab, tokens);
        poison(gpu, tokens * dim);
        const y = scope(() =>
          embedding(fromHost(gpu, stored, [vocab, dim], dtype), fromHost(gpu, ids, [tokens], 'i32')),
        );
        expect(y.shape).toEqual([tokens, dim]);
        expect(await y.data()).toEqual(gatherReference(decode(stored, dtype), ids, dim));
        y.dispose();
      }),
      { numRuns: 12, seed: 11, examples: [[[9, 64], 40]] },
    );
  });

  test('ids keep their shape; ids outside the table give zeros on the device', async () => {
    const table = random(5 * 8, 3);
    const ids = Int32Array.from([4, -1, 0, 5, 2 ** 31 - 1, 3]);
    poison(gpu, ids.length * 8);
    const y = scope(() => embedding(tensor(gpu, table, [5, 8]), fromHost(gpu, ids, [2, 3], 'i32')));
    expect(y.shape).toEqual([2, 3, 8]);
    expect(await y.data()).toEqual(gatherReference(table, ids, 8));
  });

  test.each(['f32', 'bf16'] as const)('%s tables over the binding limit', async (dtype) => {
    const small = await testGpu(undefined, { maxBindingBytes: 4096 });
    const stored = encode(random(203 * 20, 4), dtype);
    const ids = randomIds(150, 203, 5);
    poison(small, 150 * 20);
    const y = scope(() =>
      embedding(fromHost(small, stored, [203, 20], dtype), fromHost(small, ids, [150], 'i32')),
    );
    expect(await y.data()).toEqual(gatherReference(decode(stored, dtype), ids, 20));
  });

  test('says what is wrong with its arguments', () => {
    scope(() => {
      const table = tensor(gpu, random(24), [6, 4]);
      expect(() => embedding(table, [0, 6])).toThrow(
        'embedding: token id 6 at position 1 is not an integer in 0..5',
      );
      expect(() => embedding(table, [-100])).toThrow('token id -100');
      expect(() => embedding(table, [])).toThrow('the list of token ids is empty');
      expect(() => embedding(table, tensor(gpu, [1, 2]))).toThrow('embedding: ids is f32[2], expected i32');
      expect(() => embedding(tensor(gpu, random(24)), [0])).toThrow('expected shape [?, ?]');
    });
  });
});

describe('gradient', () => {
  test('agrees with PyTorch', async () => {
    const f = fixture('embedding');
    const [y, grad] = scope(() => {
      const table = tensor(gpu, f.table.data, f.table.shape).requireGrad();
      const out = embeddingOp(table, fromHost(gpu, f.ids.data, f.ids.shape, 'i32'));
      return [out, ...gradients(out, [table], { gradient: tensor(gpu, f.g.data, f.g.shape) })] as Tensor[];
    });
    await expectClose(y, f.y.data, 0);
    await expectClose(grad, f['grad.table'].data, 1e-6);
  });

  test('adds into an existing gradient in place', async () => {
    const ids = randomIds(50, 9, 13);
    const rows = random(50 * 6, 14);
    const table = tensor(gpu, random(9 * 6), [9, 6], { dtype: 'bf16' }).requireGrad();
    const step = () =>
      scope(() => backward(embeddingOp(table, ids), { gradient: tensor(gpu, rows, [50, 6]) }));
    step();
    const buffer = table.grad!.storage.buffer;
    step();
    expect(table.grad!.storage.buffer).toBe(buffer);
    const once = scatterReference(new Float64Array(54), rows, ids, 6);
    await expectClose(
      table.grad!,
      once.map((v) => 2 * v),
    );
    table.dispose();
  });

  test('finite differences', async () => {
    const table = tensor(gpu, random(7 * 5), [7, 5]).requireGrad();
    await gradcheck((t) => embeddingOp(t, [1, 1, 6, 0]), [table]);
    table.dispose();
  });
});
