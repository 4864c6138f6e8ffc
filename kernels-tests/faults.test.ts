/** Nothing that failed is read as a number, however late the driver says so. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Gpu, OslerError } from '../src/gpu/index.js';
import { affine, full } from '../src/kernels/elementwise.js';
import { openGpu } from '../src/platform/launcher/open.js';
import { loadWebGpu } from '../src/platform/launcher/webgpu.js';
import { empty, type Tensor, tensor } from '../src/tensor/index.js';
import { type Failures, lateDriver } from './support/late-driver.js';

const opened: Gpu[] = [];
afterEach(async () => {
  for (const gpu of opened.splice(0)) await gpu.destroy();
});

const DRIVERS = ['as it is', 'late', 'late, without immediates'] as const;
type Driver = (typeof DRIVERS)[number];

async function open(driver: Driver, failures: Failures = {}, shader?: string): Promise<Gpu> {
  const { gpu } = loadWebGpu();
  const own = await openGpu({
    gpu: driver === 'as it is' ? gpu : lateDriver(gpu, failures),
    forceUniforms: driver === 'late, without immediates',
    ...(shader && { shaders: () => shader }),
  });
  opened.push(own);
  return own;
}

describe.each(DRIVERS)('a driver %s', (driver) => {
  const kernel = (body: string, head = '') =>
    `${head}var<storage, read_write> y: array<f32>;\n@compute @workgroup_size(SIZE) fn main() { ${body} }\noverride SIZE = 1;`;

  function launched(gpu: Gpu, constants: Record<string, number> = {}): Tensor {
    const y = empty(gpu, [1]);
    gpu.launch('broken', { y }, {}, { groups: [1], constants });
    return y;
  }

  test('a shader with an error in it', async () => {
    const y = launched(await open(driver, {}, kernel('y[0] = oops;')));
    await expect(y.data()).rejects.toThrow(/kernel broken does not compile: shaders\/broken.wgsl:2: .*oops/);
    // It stays so.
    await expect(y.data()).rejects.toThrow(/does not compile/);
    expect(() => launched(y.gpu)).toThrow(/does not compile/);
  });

  test('a pipeline that the device refuses', async () => {
    const y = launched(await open(driver, {}, kernel('y[0] = 1;')), { SIZE: 1 << 20 });
    await expect(y.data()).rejects.toThrow(/kernel broken;SIZE=1048576 does not compile: /);
  });

  test.each(['a read', 'a sync, then a read', 'reads side by side'])('a submit: %s', async (how) => {
    const gpu = await open(driver);
    const x = tensor(gpu, [1, 2, 3]);
    const fine = affine(x, 2);
    expect(await fine.data()).toEqual(new Float32Array([2, 4, 6]));
    const y = affine(x, 2);
    x.range.buffer.gpu.destroy();
    if (how === 'a sync, then a read') await expect(gpu.sync()).rejects.toThrow('refused');
    const reads = how === 'reads side by side' ? [fine.data(), y.data(), fine.data()] : [y.data()];
    const outcomes = await Promise.allSettled(reads);
    for (const { status } of outcomes) expect(status).toBe('rejected');
    expect((outcomes[0] as PromiseRejectedResult).reason.message).toMatch(
      /WebGPU refused a command: .*destroyed/,
    );
  });

  test('a batch before the one that is read', async () => {
    const gpu = await open(driver);
    const x = tensor(gpu, [1, 2, 3]);
    const y = affine(x, 2);
    x.range.buffer.gpu.destroy();
    gpu.flush();
    const z = affine(y, 1);
    for (let i = 0; i < 300; i++) full(gpu, [4], i).dispose();
    await expect(z.data()).rejects.toThrow('WebGPU refused a command');
  });

  test('a write of the host', async () => {
    const gpu = await open(driver);
    const x = tensor(gpu, [1, 2, 3]);
    await gpu.sync();
    const y = full(gpu, [3], 7);
    x.range.buffer.gpu.destroy();
    x.write(new Float32Array([4, 5, 6]));
    await expect(y.data()).rejects.toThrow('WebGPU refused a command');
  });

  test('the loss of the device', async () => {
    const gpu = await open(driver);
    const y = full(gpu, [3], 7);
    await gpu.sync();
    gpu.device.destroy();
    const error: OslerError = await y.data().catch((reason) => reason);
    expect(error.message).toMatch(/the GPU device was lost .*restart from the last checkpoint/);
    expect(error.code).toBe('device-lost');
    expect(() => full(gpu, [3], 7)).toThrow('lost');
  });

  test('the loss of the device while a read waits', async () => {
    const gpu = await open(driver);
    const read = full(gpu, [3], 7).data();
    gpu.device.destroy();
    await expect(read).rejects.toThrow('the GPU device was lost');
  });
});

describe('memory that a driver', () => {
  test('does not have to compute', async () => {
    const gpu = await open('late', { memoryLimit: 1 << 20 });
    const weights = empty(gpu, [1000], { purpose: 'weights' });
    const x = full(gpu, [1 << 18], 1);
    const y = affine(x, 2);
    weights.dispose();
    await expect(y.data()).rejects.toThrow(
      'out of GPU memory asking for 1.0 MiB for activations; held: weights 4 KiB; to lower it, load weights in bf16',
    );
  });

  test('does not have to read back', async () => {
    const failures: Failures = {};
    const y = full(await open('late', failures), [1 << 18], 1, 'kv');
    failures.memoryLimit = 1 << 20;
    await expect(y.data()).rejects.toThrow(
      'out of GPU memory asking for 1.0 MiB for scratch; held: kv 1.0 MiB',
    );
  });
});

test('memory that a driver does not have for itself is told as such', async () => {
  let lose: (why: string) => void = () => {};
  const loss = new Promise<string>((resolve) => {
    lose = resolve;
  });
  const gpu = await open('late', { loss });
  const y = full(gpu, [1 << 18], 1, 'kv');
  await gpu.sync();
  lose('vkQueueSubmit failed with VK_ERROR_OUT_OF_DEVICE_MEMORY');
  await new Promise(setImmediate);
  gpu.device.destroy();
  const error: OslerError = await y.data().catch((reason) => reason);
  expect(error.message).toMatch(/^out of GPU memory asking for 1.0 MiB for .*; held: kv 1.0 MiB/);
  expect(error.code).toBe('out-of-memory');
});

test('an error that no scope holds, told late', async () => {
  const gpu = await open('late');
  gpu.device.dispatchEvent(
    new GPUUncapturedErrorEvent('uncapturederror', { error: new GPUValidationError('no') }),
  );
  const y = full(gpu, [3], 7);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await expect(y.data()).rejects.toThrow('WebGPU refused a command: no');
});
