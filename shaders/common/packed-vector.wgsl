// Loads of V (common/vector.wgsl) from a tensor stored as f32, or as pairs of 16-bit numbers in u32 words.
// Declare such a tensor as array<Stored> and convert with `widen(stored, index)`, where `stored` is element
// `storedAt(index)` of the array and `index` counts in V.
#define FORMAT "f32" | "f16" | "bf16" // how the tensor is stored
#include "common/vector.wgsl"
#include "common/pack.wgsl"

#if FORMAT != "f32"
fn widenPair(word: u32) -> vec2f {
#if FORMAT == "bf16"
  return unpackBf16(word);
#else
  return unpack2x16float(word);
#endif
}
#if VEC4
alias Stored = vec2u;
fn storedAt(index: u32) -> u32 { return index; }
fn widen(stored: Stored, index: u32) -> V { return vec4f(widenPair(stored.x), widenPair(stored.y)); }
#else
alias Stored = u32;
fn storedAt(index: u32) -> u32 { return index / 2u; }
fn widen(stored: Stored, index: u32) -> V {
  let pair = widenPair(stored);
  return select(pair.x, pair.y, index % 2u == 1u);
}
#endif
#else
alias Stored = V;
fn storedAt(index: u32) -> u32 { return index; }
fn widen(stored: Stored, index: u32) -> V { return stored; }
#endif
