// NF4 (src/tensor/nf4.ts): a word holds the codes of eight elements, in each byte the first in the upper half; 64 elements share
// the largest magnitude among them, by which their levels are multiplied.
//
// What depends on each code is looked up in workgroup memory with TABLE: no two of sixteen words are in one bank there. Where
// processors play GPUs a lookup costs what sixteen multiply-adds do, and levels are chosen bit by bit.
#define TABLE         // levels are looked up
#define WIDTH 1 | 4 | 8 // neighbouring elements per load; 8 not in f32

alias Stored = u32;

var<storage, read> absmax: array<f32>;

fn storedAt(unit: u32) -> u32 {
#if WIDTH == 1
  return unit >> 3u;
#elif WIDTH == 4
  return unit >> 1u;
#else
  return unit;
#endif
}

#if TABLE
var<workgroup> levels: array<f32, 16>;

// Of all invocations, of which there are sixteen at least.
fn prepareDecoder(thread: u32) {
  const LEVELS = array(
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
  );
  if (thread < 16u) { levels[thread] = LEVELS[thread]; }
  workgroupBarrier();
}
#else
fn prepareDecoder(thread: u32) {}
#endif

#if WIDTH == 1
fn decode(stored: Stored, unit: u32) -> Loaded {
  let code = stored >> (((unit & 6u) << 2u) | ((~unit & 1u) << 2u));
#if TABLE
  return absmax[unit >> 6u] * levels[code & 15u];
#else
  let bits = (vec4u(code) & vec4u(1u, 2u, 4u, 8u)) != vec4u();
  let e0 = select(vec4f(-1.0, -0.5250730514526367, -0.28444138169288635, -0.09105003625154495),
    vec4f(-0.6961928009986877, -0.39491748809814453, -0.18477343022823334, 0.0), bits.x);
  let e1 = select(vec4f(0.07958029955625534, 0.24611230194568634, 0.44070982933044434, 0.7229568362236023),
    vec4f(0.16093020141124725, 0.33791524171829224, 0.5626170039176941, 1.0), bits.x);
  let f = select(vec4f(e0.xz, e1.xz), vec4f(e0.yw, e1.yw), bits.y);
  let g = select(f.xz, f.yw, bits.z);
  return absmax[unit >> 6u] * select(g.x, g.y, bits.w);
#endif
}
#else
// The levels of the four codes in the lower half of a word.
fn fourLevels(word: u32) -> vec4f {
#if TABLE
  return vec4f(
    levels[(word >> 4u) & 15u],
    levels[word & 15u],
    levels[(word >> 12u) & 15u],
    levels[(word >> 8u) & 15u],
  );
#else
  const FIRST = vec4u(0x10u, 0x1u, 0x1000u, 0x100u);
  let words = vec4u(word);
  let b0 = (words & FIRST) != vec4u();
  let b1 = (words & (FIRST << vec4u(1u))) != vec4u();
  let b2 = (words & (FIRST << vec4u(2u))) != vec4u();
  let b3 = (words & (FIRST << vec4u(3u))) != vec4u();
  let l0 = select(vec4f(-1.0), vec4f(-0.6961928009986877), b0);
  let l1 = select(vec4f(-0.5250730514526367), vec4f(-0.39491748809814453), b0);
  let l2 = select(vec4f(-0.28444138169288635), vec4f(-0.18477343022823334), b0);
  let l3 = select(vec4f(-0.09105003625154495), vec4f(0.0), b0);
  let l4 = select(vec4f(0.07958029955625534), vec4f(0.16093020141124725), b0);
  let l5 = select(vec4f(0.24611230194568634), vec4f(0.33791524171829224), b0);
  let l6 = select(vec4f(0.44070982933044434), vec4f(0.5626170039176941), b0);
  let l7 = select(vec4f(0.7229568362236023), vec4f(1.0), b0);
  let lower = select(select(l0, l1, b1), select(l2, l3, b1), b2);
  let upper = select(select(l4, l5, b1), select(l6, l7, b1), b2);
  return select(lower, upper, b3);
#endif
}

fn decode(stored: Stored, unit: u32) -> Loaded {
#if WIDTH == 4
  return absmax[unit >> 4u] * fourLevels(stored >> ((unit & 1u) << 4u));
#else
  let scale = absmax[unit >> 3u];
  return mat2x4f(scale * fourLevels(stored), scale * fourLevels(stored >> 16u));
#endif
}
#endif
