/** Every differentiable op, one file per kernel family. */

export * from './activation.js';
export * from './attention.js';
export * from './elementwise.js';
export * from './embedding.js';
export * from './layout.js';
export * from './matmul.js';
export * from './norm.js';
export * from './random.js';
export * from './reduce.js';
export * from './rotary.js';
export * from './vocab.js';
