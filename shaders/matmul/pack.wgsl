// Rewrites B (K x N, or N x K with TRANSPOSE_B, as it is stored) as f32 panels of 16 columns for matmul/wide.wgsl:
// panels[z][n / 16][k][n % 16], with `depth` rows per panel (K rounded up), zeros outside. With SPLIT each z is a slab of K
// rows, the last one ending at kEnd. Costs a store per element of B and, where rows are aligned, a load per eight; the product
// then reads B consecutively, whatever its layout and format.
//
// A workgroup packs up to 128 rows of a panel. A lane has a column, or eight columns of a step of K where those are neighbours.
#define TRANSPOSE_B // B is N x K
#define SPLIT       // the batch is slabs of one product
#include "common/weight.wgsl"

struct Params { N: u32, K: u32, ldb: u32, strideB: u32, baseB: u32, depth: u32, kEnd: u32 }
#params Params

var<storage, read> b: array<Stored>;
var<storage, read_write> panels: array<f32>;

fn loadB(unit: u32) -> Loaded {
  return decode(b[storedAt(unit)], unit);
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  prepareDecoder(lane);
#if SPLIT
  let sizeK = min(params.K, params.kEnd - group.z * params.K);
#else
  let sizeK = params.K;
#endif
  let panel = (group.z * groups.x + group.x) * params.depth;
  let matrix = params.baseB + group.z * params.strideB;
#if TRANSPOSE_B || WIDTH == 1
  let n = group.x * 16u + lane;
#if TRANSPOSE_B
  let origin = matrix + min(n, params.N - 1u) * params.ldb;
#else
  let origin = matrix + min(n, params.N - 1u);
#endif
#else
  let n = group.x * 16u;
#endif
  for (var block = 0u; block < 8u; block++) {
    let first = group.y * 128u + block * 16u;
    if (first >= params.depth) { break; }
#if WIDTH == 1
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
#elif TRANSPOSE_B
    let to = (panel + first) * 16u + lane;
#for h in 0..2
    {
      let values = loadB((origin + min(first + ${8 * h}u, sizeK - 8u)) / 8u);
      let inside = (first + ${8 * h}u < sizeK) & (n < params.N);
#for q in 0..8
      panels[to + ${(8 * h + q) * 16}u] = select(0.0, values[${q / 4}u][${q % 4}u], inside);
#endfor
    }
#endfor
#else
    let k = first + lane;
    let to = (panel + k) * 16u;
#for h in 0..2
    {
      let values = loadB((matrix + min(k, sizeK - 1u) * params.ldb + min(n + ${8 * h}u, params.N - 8u)) / 8u);
      let inside = (k < sizeK) & (n + ${8 * h}u < params.N);
#for q in 0..8
      panels[to + ${8 * h + q}u] = select(0.0, values[${q / 4}u][${q % 4}u], inside);
#endfor
    }
#endfor
#endif
  }
}
