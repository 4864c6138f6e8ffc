// Seeded data: each tensor's numbers depend only on its name, so contestants may create them in any order.

const SEED = 20260801;

/** 32-bit FNV-1a of a name, mixed with the benchmark's seed. */
function seedOf(name) {
  let hash = 0x811c9dc5 ^ SEED;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** mulberry32: a stream of 32-bit unsigned integers. */
function stream(name) {
  let state = seedOf(name);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** `count` numbers uniform in [-scale, scale), rounded to float32. */
export function uniform(name, count, scale) {
  const next = stream(name);
  return Float32Array.from({ length: count }, () => (next() / 2 ** 31 - 1) * scale);
}

/** `count` integers uniform in [0, limit). */
export function integers(name, count, limit) {
  const next = stream(name);
  return Int32Array.from({ length: count }, () => next() % limit);
}
