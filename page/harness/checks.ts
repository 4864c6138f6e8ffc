/** The tests of kernels that run in a tab as they are. */
import { closeDevices } from './gpu.js';
import { runTests, type TestResult } from './vitest.js';

/** By family. The files of kernels-tests/ that are not here open devices of their own, or look into the process. */
const FILES = {
  activation: () => import('../../kernels-tests/activation.test.js'),
  attention: () => import('../../kernels-tests/attention.test.js'),
  'attention-decode': () => import('../../kernels-tests/attention-decode.test.js'),
  autograd: () => import('../../kernels-tests/autograd.test.js'),
  elementwise: () => import('../../kernels-tests/elementwise.test.js'),
  embedding: () => import('../../kernels-tests/embedding.test.js'),
  layers: () => import('../../kernels-tests/layers.test.js'),
  layout: () => import('../../kernels-tests/layout.test.js'),
  matmul: () => import('../../kernels-tests/matmul.test.js'),
  'matmul-ops': () => import('../../kernels-tests/matmul-ops.test.js'),
  'matrix-steps': () => import('../../kernels-tests/matrix-steps.test.js'),
  norm: () => import('../../kernels-tests/norm.test.js'),
  optimizer: () => import('../../kernels-tests/optimizer.test.js'),
  'optimizer-8bit': () => import('../../kernels-tests/optimizer-8bit.test.js'),
  random: () => import('../../kernels-tests/random.test.js'),
  reduce: () => import('../../kernels-tests/reduce.test.js'),
  roofline: () => import('../../kernels-tests/roofline.test.js'),
  rotary: () => import('../../kernels-tests/rotary.test.js'),
  sampling: () => import('../../kernels-tests/sampling.test.js'),
  scatter: () => import('../../kernels-tests/scatter.test.js'),
  softmax: () => import('../../kernels-tests/softmax.test.js'),
  'step-product': () => import('../../kernels-tests/step-product.test.js'),
  vocab: () => import('../../kernels-tests/vocab.test.js'),
} as const;

/** A family of kernels whose tests run in a tab. */
export type Family = keyof typeof FILES;
export const FAMILIES = Object.keys(FILES) as Family[];

/** Runs the tests of a family on devices of their own. */
export async function checkFamily(family: Family, onResult: (result: TestResult) => void): Promise<void> {
  try {
    await runTests(FILES[family], onResult);
  } finally {
    await closeDevices();
  }
}
