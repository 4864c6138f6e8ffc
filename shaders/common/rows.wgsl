// The entry of kernels that give a workgroup to each row: the including file defines `fn processRow(row: u32, lane: u32)`,
// which all invocations of a workgroup enter together, and Params with `rows`.
#include "common/grid.wgsl"

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linearWorkgroup(group, groups);
  if (row < params.rows) { processRow(row, lane); }
}
