/** Binding tensors in any storage format: each segment of a format is a binding of its own. */
import type { Bindable, Defines, Gpu } from '../gpu/index.js';
import { type DType, type FormatSegment, formatOf, type Tensor, type WeightFormat } from '../tensor/index.js';

/** The greatest common divisor. */
export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** The least common multiple. */
export function lcm(a: number, b: number): number {
  return (a / gcd(a, b)) * b;
}

/** Segments that grow with the number of elements. */
function growing(dtype: DType): readonly FormatSegment[] {
  return formatOf(dtype).segments.filter(({ elements }) => Number.isFinite(elements));
}

/** The most elements of which no segment takes more than so many bytes. */
export function elementsWithin(dtype: DType, bytes: number): number {
  return Math.min(...growing(dtype).map((s) => Math.floor(bytes / s.bytes) * s.elements));
}

/** At multiples of this many elements every segment is at a place where bindings may start. */
export function alignedElements(gpu: Gpu, dtype: DType): number {
  const { bindingAlignment: alignment } = gpu;
  return growing(dtype)
    .map((s) => s.elements * (alignment / gcd(alignment, s.bytes)))
    .reduce(lcm);
}

/** Binds elements [first, first + count): the segments by their names, the unnamed one as `name`. */
export function bindStored(
  name: string,
  tensor: Tensor,
  first = 0,
  count = tensor.size,
): Record<string, Bindable> {
  return Object.fromEntries(
    tensor.segments(first, count).map(({ name: own, range }) => [own ?? name, { range }]),
  );
}

/** Whether a tensor can be bound whole, from its first element on. */
export function isBindable(tensor: Tensor): boolean {
  const { bindingAlignment, maxBindingBytes } = tensor.gpu;
  return tensor
    .segments()
    .every(({ range }) => range.offset % bindingAlignment === 0 && range.size <= maxBindingBytes);
}

/** What shaders are specialised by that decode a format, so many elements per load (shaders/common/weight.wgsl). */
export function decoder(gpu: Gpu, dtype: WeightFormat, width: number): Defines {
  return { FORMAT: dtype, WIDTH: width, TABLE: dtype === 'nf4' && !gpu.info.software };
}

/** Binds elements from the aligned place before `first` on; `base` says how many come before it. */
export function bindStoredFrom(
  name: string,
  tensor: Tensor,
  first: number,
  count: number,
): { readonly base: number; readonly bindings: Readonly<Record<string, Bindable>> } {
  // A view may itself start between two such places.
  const [{ elements, bytes }] = formatOf(tensor.dtype).segments;
  const lead = ((tensor.offset % tensor.gpu.bindingAlignment) / bytes) * elements + tensor.within.first;
  const base = (first + lead) % alignedElements(tensor.gpu, tensor.dtype);
  return { base, bindings: bindStored(name, tensor, first - base, base + count) };
}
