/** What is said where a plan does not fit, or a driver had less than it seemed. */
import { expect, it } from 'vitest';
import { OslerError } from '../../gpu/index.js';
import { checkPlan, explainShortage, type Fit, type MemoryPlan } from './index.js';

const GIB = 2 ** 30;

function planOf(gib: number): MemoryPlan {
  const none = { optimizer: 0, gradients: 0, activations: 0, scratch: 0, kv: 0, copies: 0 };
  const bytes = gib * GIB;
  return { ...none, weights: bytes, peak: bytes, largest: { name: 'w', bytes: 0 }, lower: ['less'] };
}

const FITS: Fit[] = [
  { settings: { per_device_train_batch_size: 1, gradient_accumulation_steps: 8 }, plan: planOf(7) },
  { settings: { optim: 'adamw_8bit' }, plan: planOf(6) },
];

it('refuses with what fits, those first that change least', () => {
  const memory = { bytes: 12 * GIB, free: 8 * GIB, source: 'nvidia-smi' };
  const asked: number[] = [];
  const refuse = () =>
    checkPlan(planOf(10), { largestBuffer: GIB, memory }, (bytes) => {
      asked.push(bytes);
      return FITS;
    });
  expect(refuse).toThrow(
    'the run needs about 10.00 GiB (weights 10.00 GiB), but the device has 8.00 GiB free of 12.00 GiB (nvidia-smi) for it; it fits with per_device_train_batch_size: 1, gradient_accumulation_steps: 8 (about 7.00 GiB), or with optim: adamw_8bit (about 6.00 GiB); else end other programs that use it, lower it with less, or set device_memory_gib if the device has more',
  );
  expect(asked).toEqual([8 * GIB]);
});

it('takes what fits, and what nobody knows', () => {
  const memory = { bytes: 12 * GIB, free: null, source: 'sysctl' };
  checkPlan(planOf(12), { largestBuffer: GIB, memory });
  checkPlan(planOf(1000), { largestBuffer: GIB });
  expect(() => checkPlan(planOf(13), { largestBuffer: GIB, memory })).toThrow(
    /has 12.00 GiB \(sysctl\) for it; lower/,
  );
});

it('explains a driver that had less, with settings that need less than it gave', () => {
  const error = new OslerError('out-of-memory', 'out of GPU memory asking for 1 KiB');
  const explained = explainShortage(error, planOf(10), 5 * GIB, (bytes) => {
    expect(bytes).toBe(4.5 * GIB);
    return FITS.slice(1);
  });
  expect(explained.code).toBe('out-of-memory');
  expect(explained.message).toBe(
    'out of GPU memory asking for 1 KiB; planned were 10.00 GiB at the peak (weights 10.00 GiB); less is needed with optim: adamw_8bit (about 6.00 GiB)',
  );
});
