// How tensors are stored, and how what is stored becomes numbers: the one place that knows storage formats when reading
// (common/encode.wgsl is its counterpart for writing).
//
// Declare such a tensor as array<Stored>. A load brings WIDTH neighbouring elements, and `unit` counts in those:
//
//     fn loadB(unit: u32) -> Loaded { return decode(b[storedAt(unit)], unit); }
//
// Two 16-bit elements share a u32, the lower index in the low half; where WIDTH is 1, rows may start in the middle of one.
// Formats of blocks have an include of their own, which declares the buffers that hold their scales and finds the block of an
// element from `unit`. Kernels that may meet one call prepareDecoder first, all invocations together.
#define FORMAT "f32" | "f16" | "bf16" | "nf4" | "int4" // how the tensor is stored
#define WIDTH 1 | 4 | 8 // neighbouring elements per load; 8 not in f32

#if WIDTH == 1
alias Loaded = f32;
#elif WIDTH == 4
alias Loaded = vec4f;
#else
alias Loaded = mat2x4f;
#endif

#if FORMAT == "nf4"
#include "common/nf4.wgsl"
#elif FORMAT == "int4"
#include "common/int4.wgsl"
#else
fn prepareDecoder(thread: u32) {}

#if FORMAT == "f32"
alias Stored = Loaded;

fn storedAt(unit: u32) -> u32 { return unit; }

fn decode(stored: Stored, unit: u32) -> Loaded { return stored; }
#else
// The two numbers in a word.
fn decodePair(word: u32) -> vec2f {
#if FORMAT == "f16"
  return unpack2x16float(word);
#else
  return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
#endif
}

#if WIDTH == 1
alias Stored = u32;

fn storedAt(unit: u32) -> u32 { return unit >> 1u; }

fn decode(stored: Stored, unit: u32) -> Loaded {
  let pair = decodePair(stored);
  return select(pair.x, pair.y, (unit & 1u) == 1u);
}
#elif WIDTH == 4
alias Stored = vec2u;

fn storedAt(unit: u32) -> u32 { return unit; }

fn decode(stored: Stored, unit: u32) -> Loaded {
  return vec4f(decodePair(stored.x), decodePair(stored.y));
}
#else
alias Stored = vec4u;

fn storedAt(unit: u32) -> u32 { return unit; }

fn decode(stored: Stored, unit: u32) -> Loaded {
  return mat2x4f(
    vec4f(decodePair(stored.x), decodePair(stored.y)),
    vec4f(decodePair(stored.z), decodePair(stored.w)),
  );
}
#endif
#endif
#endif
