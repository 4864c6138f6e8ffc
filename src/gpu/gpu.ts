/**
 * The device and everything that lives on it: memory pool, compiled kernels, recorded commands, read-back.
 * This is the whole surface through which the layers above touch WebGPU.
 */
import {
  type AdapterInfo,
  type Candidate,
  chooseTier,
  requestAdapter,
  requestDevice,
  type Tier,
} from './adapter.js';
import { type Command, CommandQueue } from './commands.js';
import { check, OslerError, tellsOfMemory } from './errors.js';
import { FaultWatch } from './faults.js';
import { type BufferRange, type Pipeline, PipelineCache } from './pipelines.js';
import { BufferPool, type MemoryReport, type PoolBuffer, type Purpose } from './pool.js';
import { type ProfileEvent, Profiler } from './profile.js';
import { Recording } from './recording.js';
import { Capture, type Template, type TemplateHost } from './template.js';
import type { Defines } from './wgsl/defines.js';
import type { ShaderSource } from './wgsl/source.js';

/** How to open a device. */
export interface OpenOptions {
  /** The WebGPU entry point (`navigator.gpu`, or Dawn's). */
  readonly gpu: GPU;
  /** Where WGSL text comes from. */
  readonly shaders: ShaderSource;
  /** Forces a feature tier; the adapter's best by default. */
  readonly tier?: string;
  /** Upper bound of GPU memory in bytes; none by default. */
  readonly memoryBudget?: number;
  /** Pretend that the adapter binds at most this many bytes at once (tests of the splitting paths). */
  readonly maxBindingBytes?: number;
  /** Pretend that the adapter binds at multiples of at least this many bytes (tests of views and windows). */
  readonly bindingAlignment?: number;
  /** Choose kernel variants as for a software adapter, or not, whatever it is (tests of the variants for the others). */
  readonly software?: boolean;
  /** Pretend that the adapter has no immediates (tests of the uniform ring). */
  readonly forceUniforms?: boolean;
  /** Called before each wait; the Node launcher paces Dawn's polling with it. */
  readonly onWait?: () => void;
  /** Runs the garbage collector, without which Dawn frees no bind group. */
  readonly collectGarbage?: () => void;
}

/** Anything that can be bound: a tensor, or a range of a pooled buffer. */
export interface Bindable {
  /** The range to bind; throws if the owner was disposed. */
  readonly range: BufferRange;
}

/** Size, specialisation and cost of one launch. */
export interface LaunchOptions {
  /** Workgroups in x, y, z. */
  readonly groups: readonly [number, number?, number?];
  /** Values for the shader's text directives. */
  readonly defines?: Defines;
  /** Values for the shader's `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Floating-point operations, for kernels that may run long: a batch is submitted before it holds too much work. */
  readonly flops?: number;
}

type Dispatch = Extract<Command, { kind: 'dispatch' }>;
type Launch = Pick<Dispatch, 'pipeline' | 'params' | 'groups' | 'flops'>;

const NONE = {};
/** Buffers for read-back up to this many bytes are used again. */
const KEPT_STAGING = 1 << 24;
const f32 = new Float32Array(1);
const f32Bits = new Uint32Array(f32.buffer);

/** An open device. */
export class Gpu {
  readonly info: AdapterInfo;
  readonly tier: Tier;
  readonly device: GPUDevice;
  readonly limits: GPUSupportedLimits;
  /** Bytes that one binding may cover. */
  readonly maxBindingBytes: number;
  /** Bindings start at multiples of this many bytes: 256 on some adapters, 16 or less on others. */
  readonly bindingAlignment: number;
  /** Which optional features kernels may use under the chosen tier. */
  readonly has: { readonly f16: boolean; readonly subgroups: boolean; readonly subgroupMatrix: boolean };
  readonly #faults: FaultWatch;
  readonly #pool: BufferPool;
  readonly #pipelines: PipelineCache;
  readonly #commands: CommandQueue;
  readonly #profiler: Profiler;
  readonly #onWait: () => void;
  readonly #staging = new Map<number, GPUBuffer[]>();
  #recording: Recording | null = null;
  #capture: Capture | null = null;
  #destroyed = false;
  readonly #templateHost: TemplateHost = {
    allocate: (bytes, purpose) => this.allocate(bytes, purpose),
    release: (buffer) => this.release(buffer),
    relabel: (buffer, purpose) => this.relabel(buffer, purpose),
    copy: (from, to, size) => this.copy(from, to, size),
    clear: (range) => this.clear(range),
    dispatch: (launch, ranges) => this.#dispatch(launch, ranges),
  };

  protected constructor(candidate: Candidate, tier: Tier, device: GPUDevice, options: OpenOptions) {
    this.info = { ...candidate.info, software: options.software ?? candidate.info.software };
    this.tier = tier;
    this.device = device;
    this.limits = device.limits;
    this.maxBindingBytes = Math.min(
      device.limits.maxStorageBufferBindingSize,
      options.maxBindingBytes ?? Number.POSITIVE_INFINITY,
    );
    this.bindingAlignment = Math.max(
      device.limits.minStorageBufferOffsetAlignment,
      options.bindingAlignment ?? 0,
    );
    const feature = (name: string) => device.features.has(name as GPUFeatureName);
    this.has = {
      f16: feature('shader-f16'),
      subgroups: feature('subgroups'),
      subgroupMatrix: feature('chromium-experimental-subgroup-matrix'),
    };
    const immediates = !options.forceUniforms && (device.limits.maxImmediateSize ?? 0) >= 64;
    this.#onWait = options.onWait ?? (() => {});
    this.#faults = new FaultWatch(device, (error) => this.#explain(error));
    this.#profiler = new Profiler(device);
    this.#pipelines = new PipelineCache(
      device,
      this.#faults,
      options.shaders,
      immediates ? 'immediate' : 'uniform',
      options.collectGarbage ?? (() => {}),
    );
    const budget = options.memoryBudget ?? Number.POSITIVE_INFINITY;
    this.#pool = new BufferPool(device, this.#faults, budget, {
      onDestroy: (buffer) => this.#pipelines.forget(buffer),
      onShort: () => this.trim(),
    });
    this.#commands = new CommandQueue(device, this.#profiler, this.#pipelines.uniformLayout, 128, () =>
      this.#pool.destroyDoomed(),
    );
  }

  /** Opens the best adapter with the features of a tier. */
  static async open(options: OpenOptions): Promise<Gpu> {
    const candidate = await requestAdapter(options.gpu);
    const tier = chooseTier(candidate.info, options.tier);
    return new Gpu(candidate, tier, await requestDevice(candidate, tier), options);
  }

  // --- memory ---------------------------------------------------------------------------------------------------

  /** Takes memory from the pool; contents are undefined. */
  allocate(bytes: number, purpose: Purpose): PoolBuffer {
    this.#assertAlive();
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    const buffer = this.#recording?.reuse(size, purpose) ?? this.#pool.acquire(size, purpose);
    this.#recording?.allocated(buffer);
    this.#capture?.allocated(buffer, bytes, purpose);
    return buffer;
  }

  /** Gives memory back. Queued commands that use it are not disturbed. */
  release(buffer: PoolBuffer): void {
    if (this.#destroyed) return;
    this.#pool.release(buffer);
    this.#recording?.freed(buffer);
    this.#capture?.released(buffer);
  }

  /** Moves a buffer's accounting to another purpose (an activation that became a gradient). */
  relabel(buffer: PoolBuffer, purpose: Purpose): void {
    this.#pool.relabel(buffer, purpose);
    this.#capture?.relabelled(buffer, purpose);
  }

  /** Bytes by purpose, now and at the peak. */
  memory(): MemoryReport {
    return this.#pool.report();
  }

  /** Restarts peak tracking. */
  resetPeakMemory(): void {
    this.#pool.resetPeak();
  }

  /** Returns unused memory to the driver before more than so many bytes are held; nothing is refused. */
  keepWithin(bytes: number): void {
    this.#pool.keepWithin(bytes);
  }

  /** Returns unused memory to the driver. */
  trim(): void {
    this.#pool.trim();
    this.flush();
    this.#pool.destroyDoomed();
  }

  // --- commands -------------------------------------------------------------------------------------------------

  /**
   * Records one kernel: `shaders/<path>.wgsl`, its storage bindings and its parameters by the names that the shader
   * declares. Nothing runs until a batch is full, `flush`, or a read.
   */
  launch(
    path: string,
    bindings: Readonly<Record<string, Bindable>>,
    params: Readonly<Record<string, number>>,
    options: LaunchOptions,
  ): void {
    this.#assertAlive();
    const pipeline = this.#pipelines.pipeline(path, options.defines ?? NONE, options.constants ?? NONE);
    const ranges = this.#ranges(pipeline, bindings);
    const groups = [options.groups[0], options.groups[1] ?? 1, options.groups[2] ?? 1] as const;
    const most = this.limits.maxComputeWorkgroupsPerDimension;
    check(Math.max(...groups) <= most && Math.min(...groups) > 0, 'limit', () => {
      return `${path}: a grid of ${groups.join(' x ')} workgroups is empty or over ${most} per dimension`;
    });
    this.#dispatch(
      { pipeline, params: packParams(pipeline, params), groups, flops: options.flops ?? 0 },
      ranges,
    );
  }

  /** Compiles a kernel without running it, as `launch` would. */
  compile(path: string, { defines = NONE, constants = NONE }: Omit<LaunchOptions, 'groups'>): void {
    this.#assertAlive();
    this.#pipelines.pipeline(path, defines, constants);
  }

  /** Records a copy between buffers; offsets and size are multiples of 4. */
  copy(from: BufferRange, to: BufferRange, size = from.size): void {
    this.#assertAlive();
    this.#capture?.copied(from, to, size);
    this.#push({
      kind: 'copy',
      from: from.buffer.gpu,
      fromOffset: from.offset,
      to: to.buffer.gpu,
      toOffset: to.offset,
      size: Math.ceil(size / 4) * 4,
      buffers: [from.buffer, to.buffer],
      written: [to.buffer],
    });
  }

  /** Records filling a range with zero bytes. */
  clear(range: BufferRange): void {
    this.#assertAlive();
    this.#capture?.cleared(range);
    this.#push({
      kind: 'clear',
      buffer: range.buffer.gpu,
      offset: range.offset,
      size: Math.ceil(range.size / 4) * 4,
      buffers: [range.buffer],
      written: [range.buffer],
    });
  }

  /** Writes host data; ordered after everything recorded so far. */
  write(range: BufferRange, data: ArrayBufferView): void {
    this.#assertAlive();
    check(data.byteLength <= Math.ceil(range.size / 4) * 4, 'value', () => {
      return `writing ${data.byteLength} bytes into a range of ${range.size}`;
    });
    if (range.buffer.lastBatch === this.#commands.batch) this.flush();
    range.buffer.version++;
    this.#recording?.written(range.buffer);
    this.#capture?.spoil();
    const whole = data.byteLength & ~3;
    const { buffer, byteOffset } = data;
    this.device.queue.writeBuffer(range.buffer.gpu, range.offset, buffer as ArrayBuffer, byteOffset, whole);
    if (whole < data.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(new Uint8Array(buffer, byteOffset + whole, data.byteLength - whole));
      this.device.queue.writeBuffer(range.buffer.gpu, range.offset + whole, tail);
    }
  }

  /** Submits recorded commands without waiting. */
  flush(): void {
    if (!this.#destroyed) this.#commands.flush();
  }

  /** Waits until everything recorded so far has run. */
  async sync(): Promise<void> {
    this.#assertAlive();
    this.flush();
    await this.#wait(this.device.queue.onSubmittedWorkDone());
  }

  /** Reads a range back. */
  async read(range: BufferRange): Promise<ArrayBuffer> {
    this.#assertAlive();
    const size = Math.ceil(range.size / 4) * 4;
    // Large ones are not kept: rounding them up would only take memory, or pass the limit of a buffer.
    const capacity = size > KEPT_STAGING ? size : 2 ** Math.ceil(Math.log2(Math.max(size, 256)));
    const shelf = this.#staging.get(capacity) ?? [];
    if (capacity <= KEPT_STAGING) this.#staging.set(capacity, shelf);
    const staging = shelf.pop() ?? this.#makeStaging(capacity);
    this.#commands.copyOut(range.buffer, range.offset, staging, size);
    this.flush();
    await this.#wait(staging.mapAsync(GPUMapMode.READ, 0, size));
    const data = staging.getMappedRange(0, size).slice(0, range.size);
    staging.unmap();
    if (capacity > KEPT_STAGING || shelf.length >= 4) staging.destroy();
    else shelf.push(staging);
    return data;
  }

  /**
   * Runs `body` once and keeps its commands, to be replayed without redoing any checks, lookups or allocation.
   * Buffers that `body` allocates or uses stay reserved until the recording is disposed. Host data that `body` writes is
   * written once, not at each replay.
   */
  record<T>(body: () => T): { recording: Recording; result: T } {
    check(!this.#recording, 'value', () => 'a recording is already under way on this device');
    const recording = new Recording({
      push: (command) => {
        this.#assertAlive();
        this.#commands.push(command);
      },
      pin: (buffer) => this.#pool.pin(buffer),
      unpin: (buffer) => this.#pool.unpin(buffer),
    });
    this.#recording = recording;
    try {
      const result = body();
      check(
        !(result instanceof Promise),
        'value',
        () => 'a recorded body must be synchronous; read results after it',
      );
      return { recording, result };
    } catch (error) {
      recording.dispose();
      throw error;
    } finally {
      this.#recording = null;
    }
  }

  /**
   * Runs `body` and keeps what it does, to be done again by {@link repeat} with other buffers in the place of `operands`.
   *
   * @param results the memory that is left of what `body` allocated.
   */
  capture<T>(
    operands: readonly PoolBuffer[],
    body: () => T,
    results: (result: T) => readonly (PoolBuffer | null)[],
  ): { result: T; template: Template | null } {
    // One within another sees what the outer one does not.
    if (this.#capture) return { result: body(), template: null };
    const capture = new Capture(operands);
    this.#capture = capture;
    try {
      const result = body();
      return { result, template: capture.finish(results(result)) };
    } finally {
      this.#capture = null;
    }
  }

  /** Does what a template keeps; `result` allocates its results. */
  repeat(
    template: Template,
    operands: readonly PoolBuffer[],
    result: (i: number, bytes: number, purpose: Purpose) => PoolBuffer,
  ): void {
    this.#assertAlive();
    template.run(this.#templateHost, operands, result);
  }

  // --- profiling and lifetime -------------------------------------------------------------------------------------

  /** Starts timing every kernel (needs timestamp-query). */
  startProfile(): void {
    this.flush();
    this.#profiler.start();
  }

  /** Ends the profile and returns its events in execution order. */
  async stopProfile(): Promise<ProfileEvent[]> {
    this.flush();
    return this.#wait(this.#profiler.stop());
  }

  /** Number of cached pipelines and bind groups. */
  get caches(): { pipelines: number; bindGroups: number } {
    return this.#pipelines.size;
  }

  /** Waits for queued work and gives the device up. Safe to call twice. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return;
    this.flush();
    this.#onWait();
    await this.device.queue.onSubmittedWorkDone().catch(() => {});
    this.#destroyed = true;
    this.device.destroy();
  }

  #makeStaging(size: number): GPUBuffer {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#faults.guard(
      ['out-of-memory'],
      () => this.device.createBuffer({ size, usage }),
      () => this.#pool.outOfMemory(size, 'scratch'),
    );
  }

  #dispatch(launch: Launch, ranges: readonly BufferRange[]): void {
    const { pipeline } = launch;
    const buffers: PoolBuffer[] = [];
    const written: PoolBuffer[] = [];
    for (let i = 0; i < ranges.length; i++) {
      buffers.push(ranges[i].buffer);
      if (pipeline.bindings[i].access === 'read_write') written.push(ranges[i].buffer);
    }
    const command: Dispatch = {
      kind: 'dispatch',
      pipeline,
      group: this.#pipelines.bindGroup(pipeline, ranges),
      params: launch.params,
      groups: launch.groups,
      flops: launch.flops,
      buffers,
      written,
    };
    this.#capture?.dispatched(command, ranges);
    this.#push(command);
  }

  #push(command: Command): void {
    this.#recording?.add(command);
    this.#commands.push(command);
  }

  #ranges(pipeline: Pipeline, bindings: Readonly<Record<string, Bindable>>): BufferRange[] {
    const ranges: BufferRange[] = [];
    for (const { name } of pipeline.bindings) {
      const bindable = bindings[name];
      check(bindable, 'kernel', () => `${pipeline.name}: binding "${name}" was not given`);
      const range = bindable.range;
      check(range.offset % this.bindingAlignment === 0, 'limit', () => {
        return `${pipeline.name}: "${name}" is a view that starts at byte ${range.offset}, and this adapter binds at multiples of ${this.bindingAlignment}; copy it first`;
      });
      check(range.size <= this.maxBindingBytes, 'limit', () => {
        return `${pipeline.name}: "${name}" covers ${range.size} bytes, over this adapter's binding limit of ${this.maxBindingBytes}`;
      });
      ranges.push(range);
    }
    for (const name in bindings) {
      check(
        pipeline.bindings.some((b) => b.name === name),
        'kernel',
        () => {
          return `${pipeline.name}: the shader has no binding "${name}"`;
        },
      );
    }
    assertNoAliasing(pipeline, ranges);
    return ranges;
  }

  #wait<T>(answer: Promise<T>): Promise<T> {
    this.#onWait();
    return this.#faults.after(answer);
  }

  #explain(error: Pick<GPUError, 'message'>): OslerError {
    if (error.constructor.name === 'GPUOutOfMemoryError' || tellsOfMemory(error.message))
      return this.#pool.outOfMemory();
    return new OslerError('kernel', `WebGPU refused a command: ${error.message}`);
  }

  #assertAlive(): void {
    if (this.#destroyed) throw new OslerError('disposed', 'this GPU device was destroyed');
    this.#faults.assertNone();
  }
}

function packParams(pipeline: Pipeline, params: Readonly<Record<string, number>>): Uint32Array<ArrayBuffer> {
  const fields = pipeline.params;
  const packed = new Uint32Array(fields.length);
  for (let i = 0; i < fields.length; i++) {
    const { name, type } = fields[i];
    const value = params[name];
    check(value !== undefined, 'kernel', () => `${pipeline.name}: parameter "${name}" was not given`);
    if (type === 'f32') {
      f32[0] = value;
      packed[i] = f32Bits[0];
    } else {
      check(
        Number.isInteger(value) && value <= 0xffffffff && value >= (type === 'u32' ? 0 : -0x80000000),
        'kernel',
        () => {
          return `${pipeline.name}: parameter "${name}" = ${value} does not fit ${type}`;
        },
      );
      packed[i] = value;
    }
  }
  return packed;
}

/** WebGPU allows a buffer either any number of reads or one write in a dispatch; say so before Dawn does. */
function assertNoAliasing(pipeline: Pipeline, ranges: readonly BufferRange[]): void {
  for (let w = 0; w < ranges.length; w++) {
    if (pipeline.bindings[w].access === 'read') continue;
    for (let o = 0; o < ranges.length; o++) {
      if (o === w || ranges[o].buffer !== ranges[w].buffer) continue;
      throw new OslerError(
        'kernel',
        `${pipeline.name}: "${pipeline.bindings[w].name}" is written while "${pipeline.bindings[o].name}" uses the same buffer; copy one of them first`,
      );
    }
  }
}
