import { expect, it, vi } from 'vitest';
import { withMatrices } from './backends.js';

const adapter = (matrices: boolean, isFallbackAdapter = false) =>
  ({
    features: new Set(matrices ? ['chromium-experimental-subgroup-matrix'] : []),
    info: { isFallbackAdapter },
  }) as unknown as GPUAdapter;

const [plain, matrix, software] = [adapter(false), adapter(true), adapter(true, true)];

it.each([
  ['Vulkan has matrices, the first has none', plain, matrix, matrix],
  ['Vulkan has none either', plain, adapter(false), plain],
  ['Vulkan is a software driver', plain, software, plain],
  ['there is no Vulkan', plain, null, plain],
  ['there is no adapter at all', null, matrix, null],
])('%s', async (_, first, other, taken) => {
  expect(
    await withMatrices(
      async () => first,
      async () => other,
    ),
  ).toBe(taken);
});

it('keeps the first where Vulkan fails, and asks for no second one where it has matrices', async () => {
  expect(
    await withMatrices(
      async () => plain,
      () => Promise.reject(new Error('no loader')),
    ),
  ).toBe(plain);
  const askVulkan = vi.fn(async () => matrix);
  const best = adapter(true);
  expect(await withMatrices(async () => best, askVulkan)).toBe(best);
  expect(askVulkan).not.toHaveBeenCalled();
});
