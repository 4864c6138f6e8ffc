// Memory bandwidth: copies a buffer, 16 bytes per invocation and step.
#include "common/grid.wgsl"

struct Params { vectors: u32 }
#params Params

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

override WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = linearWorkgroup(group, groups) * WORKGROUP * 4u + lane;
#for i in 0..4
  {
    let at = first + ${i}u * WORKGROUP;
    if (at < params.vectors) { y[at] = x[at]; }
  }
#endfor
}
