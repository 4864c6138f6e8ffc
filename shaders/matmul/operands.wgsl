// The operands of the tiled variants: bindings a and b, and loads of four neighbouring elements.
//
// VEC_A, VEC_B: the row length, the base and the batch stride of that operand are multiples of 4, so it is loaded in
// vec4s. Two 16-bit elements of B share a u32.
#define FORMAT "f32" | "f16" | "bf16" // how B is stored
#define VEC_A                         // A is loaded in vec4s
#define VEC_B                         // B is loaded in vec4s
#include "common/pack.wgsl"

#if VEC_A
var<storage, read> a: array<vec4f>;
#else
var<storage, read> a: array<f32>;
#endif
#if FORMAT != "f32"
#if VEC_B
var<storage, read> b: array<vec2u>;
#else
var<storage, read> b: array<u32>;
#endif
#elif VEC_B
var<storage, read> b: array<vec4f>;
#else
var<storage, read> b: array<f32>;
#endif

#if !VEC_B && FORMAT != "f32"
fn scalarB(at: u32) -> f32 {
  let word = b[at >> 1u];
#if FORMAT == "f16"
  let pair = unpack2x16float(word);
#else
  let pair = unpackBf16(word);
#endif
  return select(pair.x, pair.y, (at & 1u) == 1u);
}
#elif !VEC_B
fn scalarB(at: u32) -> f32 {
  return b[at];
}
#endif

// Four elements of A from element `at` on; `count` of them exist.
fn fourA(at: u32, count: u32) -> vec4f {
#if VEC_A
  return a[at >> 2u];
#else
  let last = max(count, 1u) - 1u;
  return vec4f(a[at], a[at + min(1u, last)], a[at + min(2u, last)], a[at + min(3u, last)]);
#endif
}

fn fourB(at: u32, count: u32) -> vec4f {
#if VEC_B && FORMAT == "f16"
  let words = b[at >> 2u];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
#elif VEC_B && FORMAT == "bf16"
  let words = b[at >> 2u];
  return vec4f(unpackBf16(words.x), unpackBf16(words.y));
#elif VEC_B
  return b[at >> 2u];
#else
  let last = max(count, 1u) - 1u;
  return vec4f(scalarB(at), scalarB(at + min(1u, last)), scalarB(at + min(2u, last)), scalarB(at + min(3u, last)));
#endif
}

// Zeroes what lies past the end of K.
fn insideK(values: vec4f, k: u32, K: u32) -> vec4f {
  return select(vec4f(), values, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(K));
}
