/**
 * GPU memory: buffers are recycled by size class and every byte is accounted to a purpose.
 *
 * A freed buffer may be handed out again at once, although commands that read it are still queued: one queue executes
 * in order, so a later command cannot overtake them. Destroying is different (it poisons commands that are recorded but
 * not submitted), so it waits for the next submit.
 */
import { OslerError } from './errors.js';
import type { FaultWatch } from './faults.js';

/** What memory is held for; out-of-memory errors and `memoryReport` list these. */
export const PURPOSES = ['weights', 'optimizer', 'gradients', 'activations', 'kv', 'scratch'] as const;
/** See {@link PURPOSES}. */
export type Purpose = (typeof PURPOSES)[number];

const LOWER: Record<Purpose, string> = {
  weights: 'load weights in bf16 or use a smaller model',
  optimizer: 'train LoRA adapters instead of all weights',
  gradients: 'train LoRA adapters or freeze parts of the model',
  activations: 'lower the batch size or turn on gradient checkpointing',
  kv: 'lower the number of concurrent generations or their length',
  scratch: 'lower the batch size',
};

/** STORAGE, COPY_SRC and COPY_DST, whose names are there only where WebGPU is. */
const USAGE = 0x80 | 0x04 | 0x08;

/** Unused memory up to this much is always kept. */
const IDLE_BYTES = 64 << 20;

/** A pooled GPU buffer. `size` is what was asked for, `capacity` what it occupies. */
export interface PoolBuffer {
  readonly id: number;
  readonly gpu: GPUBuffer;
  readonly capacity: number;
  size: number;
  purpose: Purpose;
  /** The command batch that last used it: a queue write must not overtake recorded commands. */
  lastBatch: number;
  /** Counts changes of the contents, so that autograd can tell when something it saved was overwritten. */
  version: number;
  /** Recordings that will use it again; a pinned buffer is not recycled when its owner lets go. */
  pins: number;
  free: boolean;
}

/** Bytes now live per purpose, at their peak, and held from the driver. */
export interface MemoryReport {
  readonly live: Readonly<Record<Purpose, number>>;
  readonly liveTotal: number;
  readonly peak: Readonly<Record<Purpose, number>>;
  readonly peakTotal: number;
  readonly reserved: number;
  readonly peakReserved: number;
}

const zeroes = (): Record<Purpose, number> =>
  Object.fromEntries(PURPOSES.map((p) => [p, 0])) as Record<Purpose, number>;

/** Rounds a size up to its class: 256-byte steps, then sixteen steps per power of two (at most 6% of waste). */
export function sizeClass(bytes: number): number {
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 4));
  return Math.max(256, Math.ceil(bytes / step) * step);
}

/** What a pool asks of its device. */
export interface PoolEvents {
  /** Lets caches forget a buffer. */
  onDestroy(buffer: PoolBuffer): void;
  /** Memory is short: what is unused is to be destroyed now. */
  onShort(): void;
}

/** The pool of one device. */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #faults: FaultWatch;
  readonly #budget: number;
  readonly #events: PoolEvents;
  readonly #shelves = new Map<number, PoolBuffer[]>();
  readonly #live = zeroes();
  readonly #peak = zeroes();
  #goal = Number.POSITIVE_INFINITY;
  #doomed: PoolBuffer[] = [];
  #liveTotal = 0;
  #peakTotal = 0;
  #reserved = 0;
  #peakReserved = 0;
  #nextId = 1;
  #lastRequest: { bytes: number; purpose: Purpose } = { bytes: 0, purpose: 'scratch' };

  /** `budget` caps the reserved bytes. */
  constructor(device: GPUDevice, faults: FaultWatch, budget: number, events: PoolEvents) {
    this.#device = device;
    this.#faults = faults;
    this.#budget = budget;
    this.#events = events;
  }

  /** Takes a buffer of at least `bytes`; its contents are undefined. */
  acquire(bytes: number, purpose: Purpose): PoolBuffer {
    const max = this.#device.limits.maxBufferSize;
    if (bytes > max) {
      throw new OslerError(
        'limit',
        `a tensor of ${bytes} bytes exceeds this adapter's largest buffer of ${max} bytes`,
      );
    }
    const capacity = Math.min(sizeClass(bytes), Math.floor(max / 4) * 4);
    this.#lastRequest = { bytes, purpose };
    const buffer = this.#unshelve(capacity) ?? this.#create(capacity, purpose);
    buffer.size = bytes;
    buffer.purpose = purpose;
    buffer.free = false;
    this.#live[purpose] += buffer.capacity;
    this.#liveTotal += buffer.capacity;
    this.#peak[purpose] = Math.max(this.#peak[purpose], this.#live[purpose]);
    this.#peakTotal = Math.max(this.#peakTotal, this.#liveTotal);
    return buffer;
  }

  /** Gives a buffer back; later acquisitions may reuse it. */
  release(buffer: PoolBuffer): void {
    if (buffer.free) throw new OslerError('disposed', 'a GPU buffer was released twice');
    buffer.free = true;
    if (buffer.pins === 0) this.#shelve(buffer);
  }

  /** Accounts a live buffer to another purpose. */
  relabel(buffer: PoolBuffer, purpose: Purpose): void {
    this.#live[buffer.purpose] -= buffer.capacity;
    this.#live[purpose] += buffer.capacity;
    this.#peak[purpose] = Math.max(this.#peak[purpose], this.#live[purpose]);
    buffer.purpose = purpose;
  }

  /** Keeps a buffer's memory for a recording, beyond its owner's release. */
  pin(buffer: PoolBuffer): void {
    buffer.pins++;
  }

  /** Ends a pin; recycles the buffer if its owner has let go meanwhile. */
  unpin(buffer: PoolBuffer): void {
    if (--buffer.pins === 0 && buffer.free) this.#shelve(buffer);
  }

  #shelve(buffer: PoolBuffer): void {
    this.#live[buffer.purpose] -= buffer.capacity;
    this.#liveTotal -= buffer.capacity;
    const shelf = this.#shelves.get(buffer.capacity);
    if (!shelf) {
      this.#shelves.set(buffer.capacity, [buffer]);
      return;
    }
    // The oldest one is taken first, in whatever order they came back: equal passes find equal buffers, and so bind groups.
    let at = shelf.length;
    while (at > 0 && shelf[at - 1].id < buffer.id) at--;
    shelf.splice(at, 0, buffer);
  }

  /** Marks all unused buffers for destruction after the next submit. */
  trim(): void {
    for (const shelf of this.#shelves.values()) {
      for (const buffer of shelf) {
        this.#reserved -= buffer.capacity;
        this.#doomed.push(buffer);
      }
    }
    this.#shelves.clear();
  }

  /** Destroys what `trim` marked; call right after a submit, when no recorded command can refer to it. */
  destroyDoomed(): void {
    for (const buffer of this.#doomed) {
      this.#events.onDestroy(buffer);
      buffer.gpu.destroy();
    }
    this.#doomed = [];
  }

  /** See `Gpu.keepWithin`. */
  keepWithin(bytes: number): void {
    this.#goal = bytes;
  }

  /** Restarts peak tracking from what is live now. */
  resetPeak(): void {
    Object.assign(this.#peak, this.#live);
    this.#peakTotal = this.#liveTotal;
    this.#peakReserved = this.#reserved;
  }

  /** Current and peak bytes. */
  report(): MemoryReport {
    return {
      live: { ...this.#live },
      liveTotal: this.#liveTotal,
      peak: { ...this.#peak },
      peakTotal: this.#peakTotal,
      reserved: this.#reserved,
      peakReserved: this.#peakReserved,
    };
  }

  /** The error for memory that could not be had (the last request by default): who holds how much, and what lowers it. */
  outOfMemory(
    bytes = this.#lastRequest.bytes,
    purpose = this.#lastRequest.purpose,
    live: Readonly<Record<Purpose, number>> = this.#live,
  ): OslerError {
    const holders = PURPOSES.filter((p) => live[p] > 0).sort((a, b) => live[b] - live[a]);
    const list = holders.map((p) => `${p} ${mib(live[p])}`).join(', ') || 'nothing else';
    return new OslerError(
      'out-of-memory',
      `out of GPU memory asking for ${mib(bytes)} for ${purpose}; held: ${list}; to lower it, ${LOWER[holders[0] ?? purpose]}`,
    );
  }

  /** An unused buffer of the class, or of one at most an eighth larger: batches of varying length share memory. */
  #unshelve(capacity: number): PoolBuffer | undefined {
    for (let c = capacity; c <= capacity * 1.125; c = sizeClass(c + 1)) {
      const buffer = this.#shelves.get(c)?.pop();
      if (buffer) return buffer;
    }
    return undefined;
  }

  #create(capacity: number, purpose: Purpose): PoolBuffer {
    // What lies unused is given back when it outgrows what is used, else ever-changing sizes would pile up.
    const idle = this.#reserved - this.#liveTotal;
    if (idle > Math.max(IDLE_BYTES, this.#peakTotal / 2)) this.trim();
    else if (idle > 0 && this.#reserved + capacity > this.#goal) this.#events.onShort();
    if (this.#reserved + capacity > this.#budget) {
      this.trim();
      if (this.#reserved + capacity > this.#budget) throw this.outOfMemory(capacity, purpose);
    }
    // The driver may say so late; who holds what by then explains nothing.
    const live = { ...this.#live };
    const gpu = this.#faults.guard(
      ['out-of-memory'],
      () => this.#device.createBuffer({ size: capacity, usage: USAGE }),
      () => this.outOfMemory(capacity, purpose, live),
    );
    this.#reserved += capacity;
    this.#peakReserved = Math.max(this.#peakReserved, this.#reserved);
    return {
      id: this.#nextId++,
      gpu,
      capacity,
      size: capacity,
      purpose,
      lastBatch: -1,
      version: 0,
      pins: 0,
      free: false,
    };
  }
}

function mib(bytes: number): string {
  return bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
