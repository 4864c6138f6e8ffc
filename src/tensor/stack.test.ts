import { expect, it } from 'vitest';
import { ANY_GPU, Rehearsal } from '../gpu/index.js';
import { empty } from './create.js';
import { emptyStack, stackOf } from './stack.js';
import type { Tensor } from './tensor.js';

const gpu = new Rehearsal({ ...ANY_GPU, bindingAlignment: 256 });

it('lays tensors one after another, and views them as one', () => {
  const before = gpu.memory().liveTotal;
  const parts = emptyStack(
    gpu,
    [
      [3, 128],
      [1, 128],
      [2, 128],
    ],
    { dtype: 'bf16', purpose: 'weights' },
  );
  expect(parts.map(({ offset }) => offset)).toEqual([0, 768, 1024]);
  const whole = stackOf(parts);
  expect(whole?.shape).toEqual([6, 128]);
  const last = stackOf(parts.slice(1));
  expect(last?.offset).toBe(768);
  expect(stackOf([parts[0], parts[2]])).toBeNull();
  expect(stackOf([parts[1], parts[0]])).toBeNull();
  for (const tensor of [...parts, whole, last]) tensor?.dispose();
  expect(gpu.memory().liveTotal).toBe(before);
});

it('leaves tensors apart that could not be bound', () => {
  const parts = emptyStack(gpu, [
    [3, 33],
    [2, 33],
  ]);
  expect(parts.map(({ offset }) => offset)).toEqual([0, 0]);
  expect(stackOf(parts)).toBeNull();
  expect(stackOf([parts[0]])?.shape).toEqual([3, 33]);
  const others = emptyStack(gpu, [
    [4, 64],
    [4, 64],
  ]);
  expect(stackOf([others[0], empty(gpu, [4, 64])])).toBeNull();
  expect(stackOf([others[0], others[1].alias([8, 32])])).toBeNull();
});

it('leaves tensors apart that fit no buffer together', () => {
  const narrow = new Rehearsal({ ...ANY_GPU, bindingAlignment: 256 });
  Object.assign(narrow.limits, { maxBufferSize: 1024 });
  const shapes = [2, 2].map((rows) => [rows, 128]);
  expect(stackOf(emptyStack(narrow, shapes, { dtype: 'bf16' }))?.shape).toEqual([4, 128]);
  expect(stackOf(emptyStack(narrow, shapes, { dtype: 'f32' }))).toBeNull();
});

it('lays blocks segment by segment, and views them as one', () => {
  const shapes = [
    [64, 128],
    [32, 128],
  ];
  const parts = emptyStack(gpu, shapes, { dtype: 'nf4' });
  const whole = stackOf(parts);
  expect(whole?.shape).toEqual([96, 128]);
  const ranges = (tensor: Tensor | null) => tensor?.segments().map(({ range }) => [range.offset, range.size]);
  expect(ranges(whole)).toEqual([
    [0, 6144],
    [6144, 768],
  ]);
  expect(ranges(parts[1])).toEqual([
    [4096, 2048],
    [6656, 256],
  ]);
  expect(() => parts[1].range).toThrow('bind its segments');
  // What would begin inside of a block, or where this adapter cannot bind, stays apart.
  expect(
    stackOf(
      emptyStack(
        gpu,
        [
          [1, 64],
          [1, 64],
        ],
        { dtype: 'nf4' },
      ),
    ),
  ).toBeNull();
});
