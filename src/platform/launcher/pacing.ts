/**
 * Makes waiting for the GPU cheap.
 *
 * While anything is awaited, Dawn's Node binding polls: each poll re-arms itself with `globalThis.setImmediate`, which
 * takes one CPU core at 100 %. On a software driver that core is missing where the kernels run; on hardware it is missing
 * for data loading and, with several processes, for everyone.
 *
 * Dawn looks `setImmediate` up at each poll and calls it synchronously, either inside one of its asynchronous methods or
 * inside the poll before. So the paced version stands in `globalThis` during exactly these calls; at any other time, and so
 * for everyone else, `setImmediate` is Node's own, untouched.
 *
 * A wait has three phases, counted from its start:
 * 1. spin: polls follow one another at once (as without pacing), for the lowest latency;
 * 2. naps: the thread sleeps for a fraction of the time waited so far, at most 0.2 ms, then polls. The event loop turns
 *    between naps, so timers and I/O are at most a nap late;
 * 3. timers: a poll every millisecond (what `setTimeout` can do), by now a few percent of the time waited.
 *
 * Measured on two cores shared with other work, lavapipe (Mesa 26.1), one kernel and a read-back per wait; median time of
 * a wait, and the CPU time of the waiting thread. "timers" is 0.5 ms of spinning, then a poll every millisecond:
 *
 *     work        unpaced         timers          here, software    here, hardware
 *     0.5 ms      0.57 ms  49 %   0.64 ms  28 %   0.68 ms  24 %     0.58 ms  50 %
 *     5 ms        8.1 ms   50 %   6.2 ms   11 %   5.3 ms    9 %     7.9 ms   34 %
 *     50 ms       113 ms   31 %   55 ms     5 %   54 ms     4 %     62 ms     9 %
 *     750 ms      1672 ms  17 %   737 ms    3 %   828 ms    3 %     872 ms    3 %
 *
 * On an idle GPU machine a waiting thread takes 100 % unpaced; the hardware settings spin through waits of up to 4 ms, and
 * make longer ones at most 0.2 ms (from 20 ms on: 1 ms) late.
 */

/** How waits are paced; times are in milliseconds since the wait began. */
export interface PacingOptions {
  /** End of the spin phase. Short on a software driver, which wants the core; longer on hardware. */
  readonly spinMs?: number;
  /** End of the naps. */
  readonly napMs?: number;
}

/** A handle on the pacing of this thread. */
export interface Pacer {
  /** Starts a new wait: the next polls are quick again. Dawn's own asynchronous methods call it by themselves. */
  wake(): void;
  /** Changes the phases from the next poll on. */
  tune(options: PacingOptions): void;
  /** Puts everything back as it was; polls are unpaced from the next wait on. */
  uninstall(): void;
}

/** For drivers that run kernels on the CPU, which want the core that polls. The default. */
export const PACE_SOFTWARE: Required<PacingOptions> = { spinMs: 0.05, napMs: 8 };
/** For GPUs: a decode step, which is read back, takes a few milliseconds, and each microsecond late is lost. */
export const PACE_HARDWARE: Required<PacingOptions> = { spinMs: 4, napMs: 20 };

/** The classes that `webgpu` exports as `globals`. */
export type DawnClasses = object;

/** The methods in which Dawn may arm a poll: all that return a promise. */
const ASYNC_METHODS: Readonly<Record<string, readonly string[]>> = {
  GPU: ['requestAdapter'],
  GPUAdapter: ['requestDevice'],
  GPUBuffer: ['mapAsync'],
  GPUQueue: ['onSubmittedWorkDone'],
  GPUDevice: ['createComputePipelineAsync', 'createRenderPipelineAsync', 'popErrorScope'],
  GPUShaderModule: ['getCompilationInfo'],
};

/** The longest nap, and the part of the time waited so far that a nap takes. */
const LONGEST_NAP_MS = 0.2;
const NAP_FRACTION = 1 / 16;

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Callback = (...args: unknown[]) => void;

/** Paces the polls of Dawn in this thread. Install once, before the first adapter is requested. */
export function installPacing(classes: DawnClasses, options: PacingOptions = {}): Pacer {
  let pace = { ...PACE_SOFTWARE, ...options };
  const ownImmediate = globalThis.setImmediate;
  const ownTimeout = globalThis.setTimeout;
  const never = new Int32Array(new SharedArrayBuffer(4));
  let start = performance.now();

  const poll = (callback: Callback) => paced(callback);
  const nap = (callback: Callback, ms: number) => {
    Atomics.wait(never, 0, 0, ms);
    paced(callback);
  };
  const pacedImmediate = (callback: Callback, ...args: unknown[]): unknown => {
    // An event handler that Dawn calls during a poll may use setImmediate too.
    if (args.length > 0 || !isNative(callback)) return ownImmediate(callback, ...args);
    const waited = performance.now() - start;
    if (waited < pace.spinMs) return ownImmediate(poll, callback);
    if (waited < pace.napMs)
      return ownImmediate(nap, callback, Math.min(LONGEST_NAP_MS, waited * NAP_FRACTION));
    return ownTimeout(poll, 1, callback);
  };
  /** Calls into Dawn with the paced `setImmediate` in place. */
  const paced = <T>(call: () => T): T => {
    const before = globalThis.setImmediate;
    globalThis.setImmediate = pacedImmediate as unknown as typeof setImmediate;
    try {
      return call();
    } finally {
      globalThis.setImmediate = before;
    }
  };

  const undo: (() => void)[] = [];
  for (const [name, methods] of Object.entries(ASYNC_METHODS)) {
    const prototype = (classes as Record<string, { prototype?: Record<string, Method> } | undefined>)[name]
      ?.prototype;
    if (!prototype) continue;
    for (const method of methods) {
      const original = prototype[method];
      if (typeof original !== 'function') continue;
      prototype[method] = function (...args) {
        start = performance.now();
        return paced(() => original.apply(this, args));
      };
      undo.push(() => {
        prototype[method] = original;
      });
    }
  }

  return {
    wake() {
      start = performance.now();
    },
    tune(changed) {
      pace = { ...pace, ...changed };
    },
    uninstall() {
      for (const restore of undo) restore();
    },
  };
}

function isNative(callback: Callback): boolean {
  return /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback));
}
