// Reduces the middle dimension of x[outer, n, inner] to y[outer, chunks, inner]: one invocation per output element of
// a piece of `chunk` rows, lanes on consecutive columns. Column sums (bias gradients) are outer = 1; short rows are
// inner = 1, a row per invocation. Few columns still fill the machine because the rows are cut into pieces, which a
// second launch reduces. SUM or MAX; SUM multiplies by `scale`, and ACCUMULATE adds to what y holds.
#include "common/grid.wgsl"
#include "reduce/operator.wgsl"

struct Params {
  outs: u32, tiles: u32, n: u32, inner: u32, chunk: u32, chunks: u32, xStart: u32, yStart: u32, scale: f32,
}
#params Params

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = linearWorkgroup(group, groups);
  let out = item % params.tiles * WORKGROUP + lane;
  let piece = item / params.tiles;
  if (out >= params.outs || piece >= params.chunks) { return; }
  let block = out / params.inner;
  let column = out % params.inner;
  let first = piece * params.chunk;
  let rows = min(params.chunk, params.n - first);
  var at = params.xStart + (block * params.n + first) * params.inner + column;
  let start = identity(x[at]);
  #for u in 0..8
  var part${u} = start;
  #endfor
  for (var row = 0u; row < rows / 8u; row++) {
    #for u in 0..8
    part${u} = combine(part${u}, x[at + ${u}u * params.inner]);
    #endfor
    at += 8u * params.inner;
  }
  for (var row = 0u; row < rows % 8u; row++) {
    part0 = combine(part0, x[at]);
    at += params.inner;
  }
  #for u in 0..4
  part${u} = combine(part${u}, part${u + 4});
  #endfor
  let result = combine(combine(part0, part1), combine(part2, part3));
  let to = params.yStart + (block * params.chunks + piece) * params.inner + column;
#if MAX
  y[to] = result;
#elif ACCUMULATE
  y[to] += result * params.scale;
#else
  y[to] = result * params.scale;
#endif
}
