/** Tensor: a shape and a dtype over GPU memory. Always contiguous, row-major. */
import { type BufferRange, check, type Gpu, type PoolBuffer, type Purpose } from '../gpu/index.js';
import {
  bytesOf,
  type DType,
  decode,
  formatOf,
  type HostArray,
  type PlacedSegment,
  segmentsWithin,
} from './formats.js';
import * as scopes from './scope.js';
import { checkShape, numel, type Shape, showShape } from './shape.js';

/** Autograd's link from a tensor to the operation that made it; told when a handle of the tensor goes away. */
export interface GradLink {
  /** The tensor that holds this link is gone, or what was computed from it. */
  dropped(): void;
}

/** Memory shared by the views of a tensor. */
export class Storage {
  readonly gpu: Gpu;
  readonly buffer: PoolBuffer;
  /** Bytes asked for. */
  readonly bytes: number;
  /** Number of tensors over this memory. */
  handles = 0;
  /** @internal Recorded ops that have a leaf over this memory as an input; autograd counts them. */
  uses = 0;
  /** @internal Leaves of ops that are done with. */
  readonly used = new Set<Tensor>();

  /** Takes memory from the pool. */
  constructor(gpu: Gpu, bytes: number, purpose: Purpose) {
    this.gpu = gpu;
    this.bytes = bytes;
    this.buffer = gpu.allocate(bytes, purpose);
  }
}

/** How a tensor is laid over a storage. */
export interface TensorInit {
  readonly storage: Storage;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Byte offset into the storage. */
  readonly offset?: number;
  /** The tensor that a view of blocks is a part of, by its elements: their segments lie as those of the whole. */
  readonly within?: Within;
}

/** Where elements stand among those that their memory was laid out for. */
export interface Within {
  readonly first: number;
  readonly total: number;
}

/** A GPU tensor, in any format of `formats.ts`. Ops live in `autograd`; creation functions in `create.ts`. */
export class Tensor {
  readonly isTensor = true;
  readonly storage: Storage;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly offset: number;
  /** @internal See {@link TensorInit.within}. */
  readonly within: Within;
  /** Number of elements. */
  readonly size: number;
  /** Bytes of the elements. */
  readonly bytes: number;
  /** Leaves with this flag receive `grad` from `backward`. */
  requiresGrad = false;
  /** Accumulated gradient of a leaf, f32. */
  grad: Tensor | null = null;
  /**
   * Called in a backward pass when `grad` is complete: nothing that was recorded may add to it any more, or needs what is in
   * the memory of this leaf. Whoever is called may change the leaf, and take `grad` away.
   */
  onGradient: (() => void) | null = null;
  /** Set by autograd on results of differentiable ops. */
  link: GradLink | null = null;
  /** Which output of the linked operation this is. */
  linkIndex = 0;
  #disposed = false;

  /** Lays a tensor over existing storage; use the functions of `create.ts` to make one. */
  constructor(init: TensorInit) {
    this.storage = init.storage;
    this.shape = init.shape;
    this.dtype = init.dtype;
    this.offset = init.offset ?? 0;
    this.size = numel(init.shape);
    this.bytes = bytesOf(init.dtype, this.size);
    this.within = init.within ?? { first: 0, total: this.size };
    this.storage.handles++;
    scopes.enter(this);
  }

  /** The device that holds this tensor. */
  get gpu(): Gpu {
    return this.storage.gpu;
  }

  /** Number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** The memory to bind; throws after `dispose`, and of a view that is not in one piece. */
  get range(): BufferRange {
    this.assertUsable();
    check(this.size === this.within.total || this.#plain, 'shape', () => {
      return `${this.describe()} is a part of a tensor of blocks; bind its segments`;
    });
    return { buffer: this.storage.buffer, offset: this.offset, size: this.bytes };
  }

  /** The memory of elements [first, first + count), segment by segment. */
  segments(first = 0, count = this.size): (PlacedSegment & { readonly range: BufferRange })[] {
    this.assertUsable();
    const { within, offset } = this;
    const { buffer } = this.storage;
    return segmentsWithin(formatOf(this.dtype), within.total, within.first + first, count).map((segment) => ({
      ...segment,
      range: { buffer, offset: offset + segment.offset, size: segment.size },
    }));
  }

  /** Whether elements lie one after another with nothing kept apart from them. */
  get #plain(): boolean {
    return formatOf(this.dtype).segments.length === 1;
  }

  /** Throws a clear error when the tensor was disposed. */
  assertUsable(): void {
    check(!this.#disposed, 'disposed', () => {
      return `tensor ${this.describe()} is used after it was disposed; return it from its scope or call keep()`;
    });
  }

  /** Dimension `axis`; negative counts from the end. */
  dim(axis: number): number {
    const at = axis < 0 ? axis + this.rank : axis;
    check(
      at >= 0 && at < this.rank,
      'shape',
      () => `axis ${axis} does not exist in shape ${showShape(this.shape)}`,
    );
    return this.shape[at];
  }

  /** A new handle on the same memory with the same shape; lives until its own dispose. */
  alias(shape: Shape = this.shape, offset = this.offset, dtype = this.dtype): Tensor {
    this.assertUsable();
    checkShape(shape, 'alias');
    if (!this.#plain) return this.#reshaped(shape, offset, dtype);
    const end = offset + bytesOf(dtype, numel(shape));
    check(offset >= 0 && end <= this.storage.bytes, 'shape', () => {
      return `alias: ${dtype}${showShape(shape)} at byte ${offset} exceeds the ${this.storage.bytes} bytes of ${this.describe()}`;
    });
    return new Tensor({ storage: this.storage, shape, dtype, offset });
  }

  #reshaped(shape: Shape, offset: number, dtype: DType): Tensor {
    const whole = numel(shape) === this.size && offset === this.offset && dtype === this.dtype;
    check(
      whole,
      'shape',
      () => `alias: ${this.describe()} is stored in blocks, and can only get another shape`,
    );
    return new Tensor({ storage: this.storage, shape, dtype, offset, within: this.within });
  }

  /** Takes this tensor out of its scope: it lives until `dispose`. */
  keep(): this {
    scopes.leave(this);
    return this;
  }

  /** Marks a leaf as trainable. */
  requireGrad(on = true): this {
    check(
      !on || formatOf(this.dtype).kind === 'float',
      'dtype',
      () => `${this.dtype} tensors cannot require gradients`,
    );
    check(
      !this.link,
      'autograd',
      () => 'requireGrad() applies to leaves; this tensor is the result of an op',
    );
    this.requiresGrad = on;
    return this;
  }

  /** True when gradients flow into this tensor. */
  get tracked(): boolean {
    return this.requiresGrad || this.link !== null;
  }

  /** Writes host data in place. */
  write(data: HostArray): void {
    check(
      this.#plain ? data.length === this.size : data.byteLength === this.bytes,
      'shape',
      () => `writing ${data.length} values into shape ${showShape(this.shape)}`,
    );
    check(data instanceof formatOf(this.dtype).host, 'dtype', () => {
      return `writing ${data.constructor.name} into a ${this.dtype} tensor; encode() converts`;
    });
    if (!this.#plain) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      this.#eachSegment((range, start) => this.gpu.write(range, bytes.subarray(start, start + range.size)));
      return;
    }
    const whole = this.bytes % 4 === 0 || this.offset + this.bytes === this.storage.bytes;
    check(whole, 'limit', () => {
      return `writing an odd number of ${this.dtype} elements into the middle of a tensor would change its neighbour`;
    });
    this.gpu.write(this.range, data);
  }

  /** Visits the segments with their places in a tensor that has memory of its own. */
  #eachSegment(visit: (range: BufferRange, start: number) => void): void {
    const own = segmentsWithin(formatOf(this.dtype), this.size, 0, this.size);
    for (const [i, { range }] of this.segments().entries()) visit(range, own[i].offset);
  }

  /** Reads the raw elements (f16 and bf16 as 16-bit patterns, blocks as they lie in memory). */
  async raw(): Promise<HostArray> {
    if (!this.#plain) {
      const bytes = new Uint8Array(this.bytes);
      const reads: Promise<void>[] = [];
      this.#eachSegment((range, start) => {
        const copied = this.gpu.read(range).then((read) => {
          bytes.set(new Uint8Array(read), start);
        });
        reads.push(copied);
      });
      await Promise.all(reads);
      return new (formatOf(this.dtype).host)(bytes.buffer);
    }
    return new (formatOf(this.dtype).host)(await this.gpu.read(this.range));
  }

  /** Reads the elements as f32 numbers. */
  async data(): Promise<Float32Array> {
    return decode(await this.raw(), this.dtype, this.size);
  }

  /** Reads the only element. */
  async item(): Promise<number> {
    check(this.size === 1, 'shape', () => `item() needs one element; shape is ${showShape(this.shape)}`);
    return (await this.data())[0];
  }

  /** Frees this handle; the memory goes back to the pool with the last one. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    scopes.leave(this);
    this.link?.dropped();
    this.link = null;
    this.grad?.dispose();
    this.grad = null;
    if (--this.storage.handles === 0) this.gpu.release(this.storage.buffer);
  }

  /** Shape and dtype in words, for error messages. */
  describe(): string {
    return `${this.dtype}${showShape(this.shape)}`;
  }

  /** Shape and dtype; contents need `await data()`. */
  toString(): string {
    return `Tensor ${this.describe()}${this.requiresGrad ? ' requiresGrad' : ''}`;
  }
}
