// Rewrites B (K x N, or N x K with TRANSPOSE_B, as it is stored) as f32 panels of 16 columns for matmul/wide.wgsl:
// panels[z][n / 16][k][n % 16], with `depth` rows per panel (K rounded up), zeros outside. With SPLIT each z is a slab of K
// rows, the last one ending at kEnd. Costs a load and a store per element of B; the product then reads B consecutively,
// whatever its layout and format.
#define TRANSPOSE_B // B is N x K
#define SPLIT       // the batch is slabs of one product
#include "common/weight.wgsl"

struct Params { N: u32, K: u32, ldb: u32, strideB: u32, baseB: u32, depth: u32, kEnd: u32 }
#params Params

var<storage, read> b: array<Stored>;
var<storage, read_write> panels: array<f32>;

fn loadB(at: u32) -> f32 {
  return decode(b[storedAt(at)], at);
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
#if SPLIT
  let sizeK = min(params.K, params.kEnd - group.z * params.K);
#else
  let sizeK = params.K;
#endif
  let n = group.x * 16u + lane;
  let panel = (group.z * groups.x + group.x) * params.depth;
#if TRANSPOSE_B
  let origin = params.baseB + group.z * params.strideB + min(n, params.N - 1u) * params.ldb;
#else
  let origin = params.baseB + group.z * params.strideB + min(n, params.N - 1u);
#endif
  for (var block = 0u; block < 8u; block++) {
    let first = group.y * 128u + block * 16u;
    if (first >= params.depth) { break; }
    let to = (panel + first) * 16u + lane;
#for q in 0..16
    {
      let k = min(first + ${q}u, sizeK - 1u);
#if TRANSPOSE_B
      let value = loadB(origin + k);
#else
      let value = loadB(origin + k * params.ldb);
#endif
      panels[to + ${q * 16}u] = select(0.0, value, (first + ${q}u < sizeK) & (n < params.N));
    }
#endfor
  }
}
