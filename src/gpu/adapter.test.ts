import { expect, test } from 'vitest';
import { describeAdapter } from './adapter.js';

type Types = readonly [operands: string, sums: string];

/** An adapter with matrix units of these types. */
function adapter(types: readonly Types[]): GPUAdapter {
  return {
    info: {
      device: 'units',
      subgroupMinSize: 32,
      subgroupMaxSize: 32,
      subgroupMatrixConfigs: types.map(([componentType, resultComponentType]) => ({
        componentType,
        resultComponentType,
        M: 8,
        N: 8,
        K: 8,
      })),
    },
    features: new Set(['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']),
  } as unknown as GPUAdapter;
}

test('matrix units are of use where their sums are in f32', () => {
  const tier = (...types: readonly Types[]) => describeAdapter(adapter(types)).tiers.at(-1);
  expect(tier(['f16', 'f32'])).toBe('subgroup-matrix');
  expect(tier(['f16', 'f16'], ['f32', 'f32'])).toBe('subgroup-matrix');
  expect(tier(['f16', 'f16'], ['i8', 'i32'])).toBe('subgroups');
});
