import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { declarations } from '../gpu/wgsl/defines.js';
import {
  bytesOf,
  DTYPES,
  FLOATS,
  formatOf,
  fromFile,
  fromTorch,
  placeSegments,
  TORCH_FLOATS,
  WEIGHTS,
} from './formats.js';

test('a format is found by each of its names', () => {
  for (const dtype of DTYPES) {
    const { file } = formatOf(dtype);
    if (file !== null) expect(fromFile(file)).toBe(dtype);
  }
  expect(TORCH_FLOATS.map(fromTorch)).toEqual(FLOATS);
  expect(fromFile('F64')).toBeUndefined();
  expect(() => bytesOf('f64' as 'f32', 1)).toThrow(
    'dtype "f64" is unknown; use one of f32, f16, bf16, nf4, int4, i32, u32',
  );
});

test('plain numbers lie one behind the other', () => {
  const plain = DTYPES.filter((dtype) => formatOf(dtype).kind !== 'blocks');
  expect(plain.map((dtype) => bytesOf(dtype, 7))).toEqual([28, 14, 14, 28, 28]);
  expect(placeSegments(formatOf('bf16'), 7)).toEqual([{ elements: 1, bytes: 2, offset: 0, size: 14 }]);
});

test('blocks keep their scales behind the numbers, where they can be bound', () => {
  // bitsandbytes' NF4: half a byte each, a byte for 64, a float for 16384, and one table for all.
  const segments = [
    { elements: 8, bytes: 4 },
    { name: 'absmax', elements: 256, bytes: 4 },
    { name: 'nestedAbsmax', elements: 16384, bytes: 4 },
    { name: 'nestedMap', elements: Number.POSITIVE_INFINITY, bytes: 1028 },
  ];
  const size = 1536 * 8960;
  const placed = placeSegments({ segments }, size);
  expect(placed.map((s) => s.size)).toEqual([size / 2, size / 64, size / 4096, 1028]);
  expect(placed.every((s) => s.offset % 256 === 0)).toBe(true);
  const end = placed[3].offset + placed[3].size;
  expect((8 * end) / size).toBeCloseTo(4.127, 2);
});

test('shaders know the same formats', () => {
  const shader = (path: string) => {
    return declarations(path, (file) =>
      readFileSync(join(import.meta.dirname, '..', '..', 'shaders', file), 'utf8'),
    );
  };
  expect(shader('common/weight.wgsl').get('FORMAT')?.words).toEqual(WEIGHTS);
  expect(shader('common/encode.wgsl').get('STORED')?.words).toEqual(FLOATS);
});
