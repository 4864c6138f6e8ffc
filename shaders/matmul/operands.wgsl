// The operands of the tiled variants: bindings a and b, and loads of four neighbouring elements.
//
// VEC_A: the row length, the base and the batch stride of A are multiples of 4, so that it is loaded in vec4s. WIDTH 4 says
// the same of B, WIDTH 1 that it is loaded element by element.
#define VEC_A // A is loaded in vec4s
#include "common/weight.wgsl"

#if VEC_A
var<storage, read> a: array<vec4f>;
#else
var<storage, read> a: array<f32>;
#endif
var<storage, read> b: array<Stored>;

// Four elements of A from element `at` on; `count` of them exist.
fn fourA(at: u32, count: u32) -> vec4f {
#if VEC_A
  return a[at >> 2u];
#else
  let last = max(count, 1u) - 1u;
  return vec4f(a[at], a[at + min(1u, last)], a[at + min(2u, last)], a[at + min(3u, last)]);
#endif
}

fn loadB(unit: u32) -> Loaded {
  return decode(b[storedAt(unit)], unit);
}

fn fourB(at: u32, count: u32) -> vec4f {
#if WIDTH == 4
  return loadB(at >> 2u);
#else
  let last = max(count, 1u) - 1u;
  return vec4f(loadB(at), loadB(at + min(1u, last)), loadB(at + min(2u, last)), loadB(at + min(3u, last)));
#endif
}

// Zeroes what lies past the end of K.
fn insideK(values: vec4f, k: u32, sizeK: u32) -> vec4f {
  return select(vec4f(), values, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(sizeK));
}
