// Converts between the storage dtypes. Works on pairs of elements (`size` counts them), so that a 16-bit destination is
// written a whole u32 at a time; the number of elements may be odd.
#define FROM "f32" | "f16" | "bf16" // format of x
#define TO "f32" | "f16" | "bf16"   // format of y
#include "common/pack.wgsl"

struct Params { size: u32, elements: u32 }
#params Params

#if FROM == "f32"
var<storage, read> x: array<f32>;
#else
var<storage, read> x: array<u32>;
#endif
#if TO == "f32"
var<storage, read_write> y: array<f32>;
#else
var<storage, read_write> y: array<u32>;
#endif

#include "elementwise/walk.wgsl"

fn load(pair: u32) -> vec2f {
#if FROM == "f32"
  let second = min(2u * pair + 1u, params.elements - 1u);
  return vec2f(x[2u * pair], x[second]);
#elif FROM == "bf16"
  return unpackBf16(x[pair]);
#else
  return unpack2x16float(x[pair]);
#endif
}

fn element(pair: u32) {
  let values = load(pair);
#if TO == "f32"
  y[2u * pair] = values.x;
  if (2u * pair + 1u < params.elements) { y[2u * pair + 1u] = values.y; }
#elif TO == "bf16"
  y[pair] = packBf16(values);
#else
  y[pair] = pack2x16float(values);
#endif
}
