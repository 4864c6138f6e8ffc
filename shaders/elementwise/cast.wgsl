// Converts between the storage dtypes. Works on pairs of elements (`size` counts them), so that a 16-bit destination is
// written a whole u32 at a time. FROM_* and TO_* name the formats (F32, F16, BF16); the number of elements may be odd.
#include "common/grid.wgsl"
#include "common/pack.wgsl"

struct Params { size: u32, elements: u32 }
#params Params

#if FROM_F32
@group(0) @binding(0) var<storage, read> x: array<f32>;
#else
@group(0) @binding(0) var<storage, read> x: array<u32>;
#endif
#if TO_F32
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#else
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
#endif

#include "elementwise/walk.wgsl"

fn load(pair: u32) -> vec2f {
#if FROM_F32
  let second = min(2u * pair + 1u, params.elements - 1u);
  return vec2f(x[2u * pair], x[second]);
#elif FROM_BF16
  return unpackBf16(x[pair]);
#else
  return unpack2x16float(x[pair]);
#endif
}

fn element(pair: u32) {
  let values = load(pair);
#if TO_F32
  y[2u * pair] = values.x;
  if (2u * pair + 1u < params.elements) { y[2u * pair + 1u] = values.y; }
#elif TO_BF16
  y[pair] = packBf16(values);
#else
  y[pair] = pack2x16float(values);
#endif
}
