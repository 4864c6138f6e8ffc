/** Layers: weights together with how they are applied. */
export * from './attention.js';
export * from './linear.js';
export * from './mlp.js';
export * from './norm.js';
export * from './parameters.js';
export * from './transformer.js';
