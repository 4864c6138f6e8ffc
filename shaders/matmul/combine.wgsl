// Second pass of split-K: adds up the K partial products of `parts` (each M x N, dense), always in the same order, and
// applies the epilogue. One invocation per element of y.
#include "common/grid.wgsl"
#include "matmul/epilogue.wgsl"

var<storage, read> parts: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = linearWorkgroup(group, groups) * WORKGROUP + lane;
  let size = params.M * params.N;
  if (at >= size) { return; }
  var sum = 0.0;
  for (var part = 0u; part < params.K; part++) { sum += parts[part * size + at]; }
  let n = at % params.N;
  emit(sum, indexC(0u, at / params.N, n), n);
}
