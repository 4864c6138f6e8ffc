// First stage of the gradients of a norm's weight and bias (with BIAS): sums over pieces of `chunk` rows,
//   dweight[piece, column] = sum of g * (x - mean) * rstd,   dbias[piece, column] = sum of g.
// An invocation owns one V of columns, so that nothing is shared and lanes read consecutive memory; a column sum over
// the pieces finishes (src/kernels/norm.ts).
#define LAYER // LayerNorm
#define BIAS  // the gradient of the bias too
#include "common/grid.wgsl"
#include "common/vector.wgsl"

// `units` is the row length in V, `tiles` the workgroups across a row.
struct Params { rows: u32, units: u32, tiles: u32, chunk: u32 }
#params Params

var<storage, read> x: array<V>;
var<storage, read> g: array<V>;
var<storage, read> rstd: array<f32>;
var<storage, read_write> dweight: array<V>;
#if LAYER
var<storage, read> mean: array<f32>;
#endif
#if BIAS
var<storage, read_write> dbias: array<V>;
#endif

override WORKGROUP: u32 = 64;

fn normal(at: u32, row: u32) -> V {
#if LAYER
  return (x[at] - mean[row]) * rstd[row];
#else
  return x[at] * rstd[row];
#endif
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = linearWorkgroup(group, groups);
  let column = item % params.tiles * WORKGROUP + lane;
  let piece = item / params.tiles;
  var row = piece * params.chunk;
  if (column >= params.units || row >= params.rows) { return; }
  let end = min(row + params.chunk, params.rows);
  #for u in 0..4
  var weight${u} = V(0.0);
  var bias${u} = V(0.0);
  #endfor
  for (; row + 3u < end; row += 4u) {
    #for u in 0..4
    let g${u} = g[(row + ${u}u) * params.units + column];
    weight${u} += g${u} * normal((row + ${u}u) * params.units + column, row + ${u}u);
    bias${u} += g${u};
    #endfor
  }
  for (; row < end; row++) {
    let g0 = g[row * params.units + column];
    weight0 += g0 * normal(row * params.units + column, row);
    bias0 += g0;
  }
  dweight[piece * params.units + column] = (weight0 + weight1) + (weight2 + weight3);
#if BIAS
  dbias[piece * params.units + column] = (bias0 + bias1) + (bias2 + bias3);
#endif
}
