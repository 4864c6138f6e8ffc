import { expect, test } from 'vitest';
import { regressions } from './regressions.ts';

const loop = { matrix: 16, float: 0, alu: 80, lds: 4, memory: 0, barrier: 0 };
const row = { registers: 100, spills: 0, fills: 0, sharedBytes: 0, waves: 8, loop, share: 0.5 };
const launches = { prefill: 100, decode: 100, forward: 100, backward: 100, update: 10 };
const table = {
  made: { mesa: '', dawn: '' },
  models: ['m'],
  chips: [{ chip: 'navi31', name: '', tier: 'base', subgroups: '32..64', launches }],
  pipelines: [{ ...row, name: 'a', chip: 'navi31' }],
} as const;
const adapter = {} as never;

function found(change: object, more: Partial<typeof launches> = {}): string[] {
  const rows = [{ ...row, name: 'a', chip: 'navi31', uses: {}, ...change }] as const;
  const report = {
    chip: 'navi31',
    adapter,
    tier: 'base',
    rows,
    launches: { m: { ...launches, ...more } },
  } as const;
  return regressions(table, report, 'm');
}

test('as much as before and a tenth more is well', () => {
  expect(found({})).toEqual([]);
  expect(found({ registers: 110, loop: { ...loop, alu: 90 } }, { decode: 110 })).toEqual([]);
});

test('spills, registers, the main loop and launches are compared', () => {
  expect(found({ spills: 1 })).toEqual(['navi31: a spills: 1:0, in the table 0:0']);
  expect(found({ registers: 111 })).toEqual(['navi31: registers of a: 111, in the table 100']);
  expect(found({ loop: { ...loop, lds: 15 } })).toEqual([
    'navi31: instructions in the main loop of a: 111, in the table 100',
  ]);
  expect(found({}, { backward: 111 })).toEqual(['navi31: launches of backward: 111, in the table 100']);
});

test('a pipeline that the table does not have must not spill', () => {
  expect(found({ name: 'b', registers: 255 })).toEqual([]);
  expect(found({ name: 'b', fills: 2 })).toEqual(['navi31: b spills: 0:2, in the table 0:0']);
});
