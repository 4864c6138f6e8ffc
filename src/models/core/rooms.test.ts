import { expect, it } from 'vitest';
import { ANY_GPU, Rehearsal } from '../../gpu/index.js';
import { stackOf } from '../../tensor/index.js';
import type { ParameterSpec } from './builder.js';
import { ParameterRooms } from './rooms.js';

const matrix = (name: string, stack?: string): ParameterSpec => ({
  name,
  shape: [64, 64],
  role: 'matrix',
  stack,
});
const SPECS = [matrix('q', 's'), matrix('o'), matrix('k', 's')];

it('lays parameters of one stack together, in the order of the inventory', () => {
  const gpu = new Rehearsal(ANY_GPU);
  const rooms = new ParameterRooms(gpu, SPECS, () => 'bf16');
  const [k, o, q] = [SPECS[2], SPECS[1], SPECS[0]].map((spec) => rooms.take(spec));
  expect(stackOf([q, k])?.shape).toEqual([128, 64]);
  expect(o.storage).not.toBe(q.storage);
  expect(gpu.memory().live.weights).toBe(3 * 64 * 64 * 2);
});

it('keeps formats apart, and gives back what was not taken', () => {
  const gpu = new Rehearsal(ANY_GPU);
  const mixed = new ParameterRooms(gpu, SPECS, ({ name }) => (name === 'k' ? 'f32' : 'bf16'));
  const [q, k] = [SPECS[0], SPECS[2]].map((spec) => mixed.take(spec));
  expect([q.dtype, k.dtype, stackOf([q, k])]).toEqual(['bf16', 'f32', null]);
  q.dispose();
  k.dispose();
  const rooms = new ParameterRooms(gpu, SPECS, () => 'f16');
  rooms.take(SPECS[0]).dispose();
  rooms.dispose();
  expect(gpu.memory().liveTotal).toBe(0);
});
