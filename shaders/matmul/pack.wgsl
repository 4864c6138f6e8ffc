// Rewrites B (K x N, or N x K with TRANSPOSE_B; f32, f16 or bf16) as f32 panels of 16 columns for matmul/wide.wgsl:
// panels[z][n / 16][k][n % 16], with `depth` rows per panel (K rounded up), zeros outside. With
// SPLIT each z is a slab of K rows, the last one ending at kEnd. Costs a load and a store per
// element of B; the product then reads B consecutively, whatever its layout and dtype.
#define FORMAT "f32" | "f16" | "bf16" // how B is stored
#define TRANSPOSE_B                   // B is N x K
#define SPLIT                         // the batch is slabs of one product
#include "common/pack.wgsl"

struct Params { N: u32, K: u32, ldb: u32, strideB: u32, baseB: u32, depth: u32, kEnd: u32 }
#params Params

#if FORMAT != "f32"
var<storage, read> b: array<u32>;
#else
var<storage, read> b: array<f32>;
#endif
var<storage, read_write> panels: array<f32>;

fn loadB(at: u32) -> f32 {
#if FORMAT == "f16"
  let pair = unpack2x16float(b[at >> 1u]);
  return select(pair.x, pair.y, (at & 1u) == 1u);
#elif FORMAT == "bf16"
  let word = b[at >> 1u];
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (at & 1u) == 1u));
#else
  return b[at];
#endif
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
#if SPLIT
  let K = min(params.K, params.kEnd - group.z * params.K);
#else
  let K = params.K;
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
      let k = min(first + ${q}u, K - 1u);
#if TRANSPOSE_B
      let value = loadB(origin + k);
#else
      let value = loadB(origin + k * params.ldb);
#endif
      panels[to + ${q * 16}u] = select(0.0, value, (first + ${q}u < K) & (n < params.N));
    }
#endfor
  }
}
