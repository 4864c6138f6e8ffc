// The entry of kernels with one invocation per element: the including file defines `fn element(at: u32)`, which must ignore
// what lies past its end.
#include "common/grid.wgsl"

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  element(linearWorkgroup(group, groups) * WORKGROUP + lane);
}
