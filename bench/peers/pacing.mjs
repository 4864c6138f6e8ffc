// Paces Dawn's polling so that it does not take a core from a software driver's threads.
//
// While a promise of Dawn is pending, dawn.node re-arms itself through the global `setImmediate`: one core at 100 %.
// Here its calls spin for a short window after each await and then fall back to 1 ms timers. Everyone in the process is
// paced alike. Must be installed before Dawn is loaded. `openGpu` (gpu.mjs) takes another
// implementation with the same two functions.

const SPIN_MS = 0.5;
const POLL_MS = 1;

let windowStart = 0;

/** Only Dawn passes native functions to setImmediate; other callers keep their timing. */
function isNative(callback) {
  return /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(callback));
}

/** Replaces the global setImmediate. Call once, before `webgpu` is imported. */
export function installPacing() {
  const immediate = globalThis.setImmediate;
  if (immediate.paced) return;
  const paced = (callback, ...args) => {
    const spinning = performance.now() - windowStart < SPIN_MS;
    if (spinning || args.length > 0 || !isNative(callback)) return immediate(callback, ...args);
    return setTimeout(callback, POLL_MS);
  };
  paced.paced = true;
  globalThis.setImmediate = paced;
}

/** Restarts the spin window whenever someone begins to wait. Call once with the `globals` of `webgpu`. */
export function watchWaits({ GPUBuffer, GPUQueue }) {
  for (const [prototype, method] of [
    [GPUBuffer.prototype, 'mapAsync'],
    [GPUQueue.prototype, 'onSubmittedWorkDone'],
  ]) {
    const original = prototype[method];
    prototype[method] = function (...args) {
      windowStart = performance.now();
      return original.apply(this, args);
    };
  }
}
