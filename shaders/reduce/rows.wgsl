// Reduces the rows of x[rows, n] to y[rows, chunks]: one workgroup per piece of `chunk` elements of a row, so that few
// long rows still fill the machine (a second launch then reduces the pieces). Lanes read consecutive elements.
// SUM or MAX; SUM multiplies by `scale` (means), and ACCUMULATE adds to what y holds. For short rows columns.wgsl,
// with one invocation per row, is better.
#define ACCUMULATE // add to what y holds
#include "common/grid.wgsl"
#include "reduce/operator.wgsl"

// n, chunk and xStart count in V.
struct Params { count: u32, n: u32, chunk: u32, chunks: u32, xStart: u32, yStart: u32, scale: f32 }
#params Params

var<storage, read> x: array<V>;
var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

#include "common/reduce.wgsl"

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = linearWorkgroup(group, groups);
  if (item >= params.count) { return; }
  let first = item % params.chunks * params.chunk;
  let row = params.xStart + item / params.chunks * params.n;
  let end = row + min(first + params.chunk, params.n);
  let start = identity(x[row + first]);
  #for u in 0..8
  var part${u} = start;
  #endfor
  var at = row + first + lane;
  for (; at + 7u * WORKGROUP < end; at += 8u * WORKGROUP) {
    #for u in 0..8
    part${u} = combine(part${u}, x[at + ${u}u * WORKGROUP]);
    #endfor
  }
  for (; at < end; at += WORKGROUP) { part0 = combine(part0, x[at]); }
  #for u in 0..4
  part${u} = combine(part${u}, part${u + 4});
  #endfor
  let own = across(combine(combine(part0, part1), combine(part2, part3)));
#if MAX
  // A subgroup's maximum may drop NaNs too: they travel as a flag.
  let spoilt = (bitcast<u32>(own) & 0x7fffffffu) > 0x7f800000u;
  let anySpoilt = workgroupMax(select(0.0, 1.0, spoilt), lane) > 0.0;
  let largest = workgroupMax(select(own, across(start), spoilt), lane);
  let result = select(largest, nan(), anySpoilt);
#else
  let result = workgroupSum(own, lane) * params.scale;
#endif
  if (lane == 0u) {
#if ACCUMULATE
    y[params.yStart + item] += result;
#else
    y[params.yStart + item] = result;
#endif
  }
}
