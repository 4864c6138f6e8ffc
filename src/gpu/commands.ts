/**
 * Command recording. Dispatches collect in one compute pass and go to the queue in batches: a submit per kernel costs
 * more than most kernels. Parameters travel as immediates, or in a ring of uniform slots that is uploaded once per batch.
 */
import { check } from './errors.js';
import type { Pipeline } from './pipelines.js';
import type { PoolBuffer } from './pool.js';
import type { Profiler } from './profile.js';

/** One recorded step; what a {@link Recording} keeps and plays again. */
export type Command =
  | {
      readonly kind: 'dispatch';
      readonly pipeline: Pipeline;
      readonly group: GPUBindGroup;
      readonly params: Uint32Array<ArrayBuffer>;
      readonly groups: readonly [number, number, number];
      /** Arithmetic that it does, where that is much. */
      readonly flops: number;
      readonly buffers: readonly PoolBuffer[];
      readonly written: readonly PoolBuffer[];
    }
  | {
      readonly kind: 'copy';
      readonly from: GPUBuffer;
      readonly fromOffset: number;
      readonly to: GPUBuffer;
      readonly toOffset: number;
      readonly size: number;
      readonly buffers: readonly PoolBuffer[];
      readonly written: readonly PoolBuffer[];
    }
  | {
      readonly kind: 'clear';
      readonly buffer: GPUBuffer;
      readonly offset: number;
      readonly size: number;
      readonly buffers: readonly PoolBuffer[];
      readonly written: readonly PoolBuffer[];
    };

const SLOT_BYTES = 256;
const RING_SLOTS = 512;
/**
 * Drivers take a submit that runs for seconds (Windows: two, amdgpu: ten) for a hang, and reset the device. This much
 * takes about one on the slowest GPUs, and on fast ones still a thousand times what a submit costs.
 */
const MOST_FLOPS = 2.5e11;

/** Encodes commands of one device and submits them in batches. */
export class CommandQueue {
  readonly #device: GPUDevice;
  readonly #profiler: Profiler;
  readonly #batchSize: number;
  readonly #afterSubmit: () => void;
  readonly #ring: { buffer: GPUBuffer; group: GPUBindGroup; data: Uint32Array<ArrayBuffer> } | null;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #pipelineId = -1;
  #recorded = 0;
  #ringUsed = 0;
  #flops = 0;
  /** Number of the batch being recorded. */
  batch = 0;

  /** `uniformLayout` is null where the device has immediates. */
  constructor(
    device: GPUDevice,
    profiler: Profiler,
    uniformLayout: GPUBindGroupLayout | null,
    batchSize: number,
    afterSubmit: () => void,
  ) {
    this.#device = device;
    this.#profiler = profiler;
    this.#batchSize = batchSize;
    this.#afterSubmit = afterSubmit;
    this.#ring = uniformLayout && makeRing(device, uniformLayout);
  }

  /** Records one command; submits when the batch is full. */
  push(command: Command): void {
    for (const buffer of command.buffers) buffer.lastBatch = this.batch;
    for (const buffer of command.written) buffer.version++;
    if (command.kind === 'dispatch') {
      this.#dispatch(command);
      this.#flops += command.flops;
    } else {
      this.#endPass();
      if (command.kind === 'copy') {
        this.#openEncoder().copyBufferToBuffer(
          command.from,
          command.fromOffset,
          command.to,
          command.toOffset,
          command.size,
        );
      } else this.#openEncoder().clearBuffer(command.buffer, command.offset, command.size);
    }
    const full = ++this.#recorded >= this.#batchSize || this.#ringUsed === RING_SLOTS;
    if (full || this.#flops >= MOST_FLOPS || this.#profiler.full) this.flush();
  }

  /** Copies to a buffer outside the pool (staging for read-back). */
  copyOut(from: PoolBuffer, offset: number, to: GPUBuffer, size: number): void {
    this.#endPass();
    this.#openEncoder().copyBufferToBuffer(from.gpu, offset, to, 0, size);
    this.#recorded++;
  }

  /** Submits everything recorded so far. */
  flush(): void {
    if (!this.#encoder) return;
    this.#endPass();
    const resolved = this.#profiler.active ? this.#profiler.resolve(this.#encoder) : null;
    if (this.#ring && this.#ringUsed > 0) {
      const { buffer, data } = this.#ring;
      this.#device.queue.writeBuffer(buffer, 0, data, 0, (this.#ringUsed * SLOT_BYTES) / 4);
    }
    this.#device.queue.submit([this.#encoder.finish()]);
    this.#encoder = null;
    this.#recorded = 0;
    this.#ringUsed = 0;
    this.#flops = 0;
    this.batch++;
    resolved?.();
    this.#afterSubmit();
  }

  #openEncoder(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
    this.#pipelineId = -1;
  }

  #dispatch(command: Extract<Command, { kind: 'dispatch' }>): void {
    const { pipeline, params, groups } = command;
    if (this.#profiler.active) {
      this.#endPass();
      const timestampWrites = this.#profiler.span(pipeline.name, groups);
      this.#pass = this.#openEncoder().beginComputePass({ timestampWrites });
    }
    this.#pass ??= this.#openEncoder().beginComputePass();
    const pass = this.#pass;
    if (this.#pipelineId !== pipeline.id) {
      pass.setPipeline(pipeline.gpu);
      this.#pipelineId = pipeline.id;
    }
    pass.setBindGroup(0, command.group);
    if (this.#ring) {
      const slot = this.#ringUsed++;
      this.#ring.data.set(params, (slot * SLOT_BYTES) / 4);
      pass.setBindGroup(1, this.#ring.group, [slot * SLOT_BYTES]);
    } else if (params.length > 0) pass.setImmediates(0, params);
    pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
  }
}

function makeRing(device: GPUDevice, layout: GPUBindGroupLayout) {
  check(device.limits.minUniformBufferOffsetAlignment <= SLOT_BYTES, 'limit', () => {
    return `this adapter aligns uniforms to more than ${SLOT_BYTES} bytes`;
  });
  const size = SLOT_BYTES * RING_SLOTS;
  const buffer = device.createBuffer({ size, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  const group = device.createBindGroup({
    layout,
    entries: [{ binding: 0, resource: { buffer, offset: 0, size: SLOT_BYTES } }],
  });
  return { buffer, group, data: new Uint32Array(size / 4) };
}
