// int4 (src/tensor/int4.ts): a word holds the codes of eight elements, the first lowest; 64 elements share a step and a zero.
// Sixteen steps are an f32 number, in whose lowest bits the zero is; `absmax` is a bound of magnitudes, as in other formats of
// blocks.
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

fn prepareDecoder(thread: u32) {}

// A step, and the product of step and zero, which is exact.
fn blockAt(block: u32) -> vec2f {
  let bits = bitcast<u32>(absmax[block]);
  let step = bitcast<f32>(bits & 0xffffe000u) * 0.0625;
  return vec2f(step, step * f32(bits & 31u));
}

#if WIDTH == 1
fn decode(stored: Stored, unit: u32) -> Loaded {
  let block = blockAt(unit >> 6u);
  return block.x * f32((stored >> ((unit & 7u) << 2u)) & 15u) - block.y;
}
#else
// The four codes in the lower half of a word.
fn fourCodes(word: u32) -> vec4f {
  return vec4f((vec4u(word) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u));
}

fn decode(stored: Stored, unit: u32) -> Loaded {
#if WIDTH == 4
  let block = blockAt(unit >> 4u);
  return block.x * fourCodes(stored >> ((unit & 1u) << 4u)) - vec4f(block.y);
#else
  let block = blockAt(unit >> 3u);
  return mat2x4f(block.x * fourCodes(stored) - vec4f(block.y), block.x * fourCodes(stored >> 16u) - vec4f(block.y));
#endif
}
#endif
