// Reduces the middle dimension of x[outer, n, inner] to y[outer, chunks, inner], for pieces of `chunk` rows. An
// invocation owns COLUMNS results, WORKGROUP apart, so that lanes read consecutive memory: GPUs own one and keep
// several rows in flight (UNROLL), software drivers own several so that each row is read in longer runs. Column sums
// (bias gradients) are outer = 1; short rows are inner = 1, a row per invocation. Few columns still fill the machine
// because the rows are cut into pieces, which a second launch reduces.
// SUM or MAX; SUM multiplies by `scale`, and ACCUMULATE adds to what y holds.
#define COLUMNS 1..16 // results per invocation
#define UNROLL 1..8   // rows in flight
#define ACCUMULATE    // add to what y holds
#include "common/grid.wgsl"
#include "reduce/operator.wgsl"

// outs = outer * inner, inner, xStart and yStart count in V.
struct Params {
  outs: u32, tiles: u32, n: u32, inner: u32, chunk: u32, chunks: u32, xStart: u32, yStart: u32, scale: f32,
}
#params Params

var<storage, read> x: array<V>;
var<storage, read_write> y: array<V>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = linearWorkgroup(group, groups);
  let own = item % params.tiles * (WORKGROUP * ${COLUMNS}u) + lane;
  let piece = item / params.tiles;
  if (own >= params.outs || piece >= params.chunks) { return; }
  let first = piece * params.chunk;
  let rows = min(params.chunk, params.n - first);
  // Results past the end are computed from the last column and not stored.
  #for c in 0..COLUMNS
  let out${c} = min(own + ${c}u * WORKGROUP, params.outs - 1u);
  let block${c} = out${c} / params.inner;
  var at${c} = params.xStart + (block${c} * params.n + first) * params.inner + out${c} % params.inner;
  let start${c} = identity(x[at${c}]);
  #for u in 0..UNROLL
  var part${c}_${u} = start${c};
  #endfor
  #endfor
  for (var row = 0u; row < rows / ${UNROLL}u; row++) {
    #for c in 0..COLUMNS
    #for u in 0..UNROLL
    part${c}_${u} = combine(part${c}_${u}, x[at${c} + ${u}u * params.inner]);
    #endfor
    at${c} += ${UNROLL}u * params.inner;
    #endfor
  }
  for (var row = 0u; row < rows % ${UNROLL}u; row++) {
    #for c in 0..COLUMNS
    part${c}_0 = combine(part${c}_0, x[at${c}]);
    at${c} += params.inner;
    #endfor
  }
  #for c in 0..COLUMNS
  #for u in 1..UNROLL
  part${c}_0 = combine(part${c}_0, part${c}_${u});
  #endfor
  if (own + ${c}u * WORKGROUP < params.outs) {
    let to = params.yStart + (block${c} * params.chunks + piece) * params.inner + out${c} % params.inner;
#if MAX
    y[to] = part${c}_0;
#elif ACCUMULATE
    y[to] += part${c}_0 * params.scale;
#else
    y[to] = part${c}_0 * params.scale;
#endif
  }
  #endfor
}
