/**
 * Record once, replay often: a decode step issues the same few hundred launches for every token, and encoding them from
 * a kept list costs a fraction of looking everything up again. What changes from step to step must be read by the
 * kernels from buffers.
 */
import type { Command } from './commands.js';
import { check } from './errors.js';
import type { PoolBuffer, Purpose } from './pool.js';

/** What a recording needs of its device. */
export interface RecordingHost {
  push(command: Command): void;
  pin(buffer: PoolBuffer): void;
  unpin(buffer: PoolBuffer): void;
}

/** A kept command sequence; made by `Gpu.record`. */
export class Recording {
  readonly #host: RecordingHost;
  readonly #commands: Command[] = [];
  readonly #pinned = new Set<PoolBuffer>();
  /** Buffers that commands of this recording fill before reading them; others hold what a replay must find unchanged. */
  readonly #own = new Set<PoolBuffer>();
  /** Own buffers freed while recording: later commands of the same recording may reuse them, nothing else may. */
  readonly #idle: PoolBuffer[] = [];
  #disposed = false;

  /** `host` is the device's command queue and pool. */
  constructor(host: RecordingHost) {
    this.#host = host;
  }

  /** Number of commands kept. */
  get length(): number {
    return this.#commands.length;
  }

  /** Issues all commands again, in order. */
  replay(): void {
    check(!this.#disposed, 'disposed', () => 'this recording was disposed');
    for (const command of this.#commands) this.#host.push(command);
  }

  /** Gives back the buffers that the recording held. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#pinned) this.#host.unpin(buffer);
    this.#commands.length = 0;
  }

  /** @internal Called by the device for each command while recording. */
  add(command: Command): void {
    this.#commands.push(command);
    for (const buffer of command.buffers) {
      if (this.#pinned.has(buffer)) continue;
      this.#pinned.add(buffer);
      this.#host.pin(buffer);
    }
  }

  /** @internal Called by the device for each allocation while recording. */
  allocated(buffer: PoolBuffer): void {
    this.#own.add(buffer);
  }

  /** @internal Called by the device when the host writes to a buffer while recording: a replay will not write it again. */
  written(buffer: PoolBuffer): void {
    this.#own.delete(buffer);
  }

  /** @internal Called by the device when an owner lets go of a buffer while recording. */
  freed(buffer: PoolBuffer): void {
    if (this.#own.has(buffer) && this.#pinned.has(buffer)) this.#idle.push(buffer);
    this.#own.delete(buffer);
  }

  /** A buffer freed earlier in this recording that fits, if any. */
  reuse(bytes: number, purpose: Purpose): PoolBuffer | undefined {
    const fits = (b: PoolBuffer) =>
      b.purpose === purpose && b.capacity >= bytes && b.capacity <= bytes * 1.25 + 256;
    const at = this.#idle.findIndex(fits);
    if (at < 0) return undefined;
    const [buffer] = this.#idle.splice(at, 1);
    buffer.size = bytes;
    buffer.free = false;
    return buffer;
  }
}
