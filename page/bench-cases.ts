/** The benchmarks of kernels by family: a page has no folder to look into. */
import activation from '../bench/activation.bench.js';
import attention from '../bench/attention.bench.js';
import type { BenchCase } from '../bench/case.js';
import elementwise from '../bench/elementwise.bench.js';
import embedding from '../bench/embedding.bench.js';
import layout from '../bench/layout.bench.js';
import matmul from '../bench/matmul.bench.js';
import norm from '../bench/norm.bench.js';
import optimizer from '../bench/optimizer.bench.js';
import random from '../bench/random.bench.js';
import reduce from '../bench/reduce.bench.js';
import rotary from '../bench/rotary.bench.js';
import sampling from '../bench/sampling.bench.js';
import softmax from '../bench/softmax.bench.js';
import vocab from '../bench/vocab.bench.js';

/** All of them. */
export const BENCHES: Readonly<Record<string, readonly BenchCase[]>> = {
  activation,
  attention,
  elementwise,
  embedding,
  layout,
  matmul,
  norm,
  optimizer,
  random,
  reduce,
  rotary,
  sampling,
  softmax,
  vocab,
};
