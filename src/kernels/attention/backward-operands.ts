/** What the kernels of attention's backward pass are given. */
import type { Tensor } from '../../tensor/index.js';
import { part } from '../support.js';
import type { AttentionResult } from './forward.js';
import type { Span } from './segments.js';

/** Most bytes of sums or score gradients that are held at a time. */
export const SCRATCH_BYTES = 64 << 20;

/** Which gradients are wanted. */
export interface Needs {
  readonly q: boolean;
  readonly kv: boolean;
}

/** Inputs and outputs, by their names in shaders. */
export interface Operands extends AttentionResult {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly gradOut: Tensor;
  readonly stats: Tensor;
  readonly dq: Tensor;
  readonly dk: Tensor;
  readonly dv: Tensor;
}

/** The rows of a span of any [T, ...] tensor. */
function rowsOf(tensor: Tensor, { first, count }: Span) {
  const width = tensor.size / tensor.shape[0];
  return part(tensor, first * width, count * width);
}

/** Some operands' rows of a span. */
export function bind<K extends keyof Operands>(operands: Operands, span: Span, ...names: readonly K[]) {
  return Object.fromEntries(names.map((name) => [name, rowsOf(operands[name], span)]));
}
