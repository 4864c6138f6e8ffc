/** What launch functions of all kernel families share: grid folding, argument checks, and cutting work that a binding cannot cover. */
import { type Bindable, type BufferRange, check, type Gpu, type LaunchOptions } from '../gpu/index.js';
import { bytesOf, type DType, sameShape, type Tensor } from '../tensor/index.js';
import { alignedElements, bindStored, elementsWithin, gcd, lcm } from './stored.js';

/** Integer division, rounded up. */
export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}

/** A grid of at least `workgroups`, folded into y where one dimension cannot hold it. */
export function fold(gpu: Gpu, workgroups: number): [number, number] {
  const most = gpu.limits.maxComputeWorkgroupsPerDimension;
  if (workgroups <= most) return [workgroups, 1];
  const rows = ceilDiv(workgroups, most);
  return [ceilDiv(workgroups, rows), rows];
}

/** Rejects tensors of another dtype. */
export function checkDtype(op: string, name: string, tensor: Tensor, ...allowed: readonly DType[]): void {
  check(allowed.includes(tensor.dtype), 'dtype', () => {
    return `${op}: ${name} is ${tensor.describe()}, expected ${allowed.join(' or ')}; cast() converts`;
  });
}

/** Rejects tensors of another shape; -1 in `shape` matches anything. */
export function checkShapeIs(op: string, name: string, tensor: Tensor, shape: readonly number[]): void {
  const fits = tensor.rank === shape.length && shape.every((d, i) => d === -1 || d === tensor.shape[i]);
  check(fits, 'shape', () => {
    return `${op}: ${name} is ${tensor.describe()}, expected shape [${shape.map((d) => (d < 0 ? '?' : d)).join(', ')}]`;
  });
}

/** Rejects two tensors that differ in shape. */
export function checkSame(op: string, a: Tensor, b: Tensor): void {
  check(
    sameShape(a.shape, b.shape),
    'shape',
    () => `${op}: shapes differ: ${a.describe()} and ${b.describe()}`,
  );
}

/** Rejects operands that live on different devices. */
export function checkDevice(op: string, ...tensors: readonly Tensor[]): Gpu {
  tensors.forEach((t, i) => {
    check(t?.isTensor === true, 'value', () => `${op}: operand ${i} is ${String(t)}, expected a tensor`);
  });
  const { gpu } = tensors[0];
  check(
    tensors.every((t) => t.gpu === gpu),
    'value',
    () => `${op}: operands live on different devices`,
  );
  return gpu;
}

/** A part of a tensor's memory, as something to bind. */
export function part(
  tensor: Tensor,
  firstElement: number,
  elements: number,
): { readonly range: BufferRange } {
  const { buffer, offset } = tensor.range;
  return {
    range: {
      buffer,
      offset: offset + bytesOf(tensor.dtype, firstElement),
      size: bytesOf(tensor.dtype, elements),
    },
  };
}

/**
 * Cuts `count` items into windows so that each tensor's share fits one binding and starts where bindings may start.
 * `elementsPerItem` gives, for each tensor, how many elements belong to one item.
 */
export function* windows(
  gpu: Gpu,
  count: number,
  tensors: readonly { readonly tensor: Tensor; readonly elementsPerItem: number }[],
): Generator<{ first: number; count: number }> {
  let most = count;
  let step = 1;
  for (const { tensor, elementsPerItem } of tensors) {
    if (elementsPerItem === 0) continue;
    most = Math.min(most, Math.floor(elementsWithin(tensor.dtype, gpu.maxBindingBytes) / elementsPerItem));
    const aligned = alignedElements(gpu, tensor.dtype);
    step = lcm(step, aligned / gcd(aligned, elementsPerItem));
  }
  if (most >= count) {
    yield { first: 0, count };
    return;
  }
  const size = Math.floor(most / step) * step;
  check(size > 0, 'limit', () => {
    return `one row is larger than this adapter's binding limit of ${gpu.maxBindingBytes} bytes`;
  });
  for (let first = 0; first < count; first += size) yield { first, count: Math.min(size, count - first) };
}

/** The define that tells `elementwise/walk-rows.wgsl` about rows of `width` Values. */
export function narrowRows(gpu: Gpu, width: number): { NARROW: boolean } {
  return { NARROW: width < walkGrid(gpu, 1).constants.WORKGROUP };
}

/** Options of {@link launchElementwise}. */
export interface ElementwiseOptions {
  readonly defines?: LaunchOptions['defines'];
  /** How many elements the shader handles as one; chosen here (4 where every size allows it, else 1) unless given. */
  readonly width?: number;
  /** Further parameters that depend on the window: its first element and their number. */
  readonly window?: (first: number, elements: number) => Readonly<Record<string, number>>;
  /** Bound whole in every window, not cut with the others. */
  readonly whole?: Readonly<Record<string, Bindable>>;
}

/** Grid and constants with which `elementwise/walk.wgsl` visits `values` Values. */
export function walkGrid(
  gpu: Gpu,
  values: number,
): { groups: [number, number]; constants: { WORKGROUP: number; TURNS: number } } {
  const constants = gpu.info.software ? { WORKGROUP: 16, TURNS: 8 } : { WORKGROUP: 64, TURNS: 1 };
  return { groups: fold(gpu, ceilDiv(values, constants.WORKGROUP * constants.TURNS * 4)), constants };
}

/** Launches a shader built on `elementwise/walk.wgsl` over equally sized tensors, window by window. */
export function launchElementwise(
  gpu: Gpu,
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  params: Readonly<Record<string, number>>,
  options: ElementwiseOptions = {},
): void {
  const list = Object.values(tensors);
  const { size } = list[0];
  const width = options.width ?? (size % 4 === 0 ? 4 : 1);
  const shares = list.map((tensor) => ({ tensor, elementsPerItem: width }));
  for (const { first, count } of windows(gpu, ceilDiv(size, width), shares)) {
    const elements = Math.min(count * width, size - first * width);
    gpu.launch(
      path,
      {
        ...options.whole,
        ...Object.assign(
          {},
          ...Object.entries(tensors).map(([name, t]) => bindStored(name, t, first * width, elements)),
        ),
      },
      { ...params, ...options.window?.(first * width, elements), size: count },
      { ...walkGrid(gpu, count), defines: { ...options.defines, VEC4: width === 4 } },
    );
  }
}
