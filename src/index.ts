/**
 * Osler as a library: a device, tensors, differentiable ops. `ensureDriver` and `openGpu` are Node's; browsers use
 * `Gpu.open`.
 */
import './platform/node/install.js';

export * from './autograd/index.js';
export * from './gpu/index.js';
export { ensureDriver } from './platform/launcher/launch.js';
export { type NodeOpenOptions, openGpu } from './platform/launcher/open.js';
export * from './tensor/index.js';
