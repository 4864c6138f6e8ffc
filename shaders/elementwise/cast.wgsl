// Converts between the storage dtypes. Each invocation handles one pair of elements, so that a 16-bit destination is
// written a whole u32 at a time. FROM_* and TO_* name the formats (F32, F16, BF16); the size may be odd.
#include "common/grid.wgsl"
#include "common/pack.wgsl"

struct Params { size: u32 }
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

override WORKGROUP: u32 = 64;

fn load(pair: u32) -> vec2f {
#if FROM_F32
  let second = min(2u * pair + 1u, params.size - 1u);
  return vec2f(x[2u * pair], x[second]);
#elif FROM_BF16
  return unpackBf16(x[pair]);
#else
  return unpack2x16float(x[pair]);
#endif
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let pair = linearWorkgroup(group, groups) * WORKGROUP + lane;
  if (2u * pair >= params.size) { return; }
  let values = load(pair);
#if TO_F32
  y[2u * pair] = values.x;
  if (2u * pair + 1u < params.size) { y[2u * pair + 1u] = values.y; }
#elif TO_BF16
  y[pair] = packBf16(values);
#else
  y[pair] = pack2x16float(values);
#endif
}
