// y = beta * y + alpha * x in place: gradient accumulation, scaling (with x = y's own values unused when alpha is 0).
#include "common/grid.wgsl"

struct Params { size: u32, alpha: f32, beta: f32 }
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
  let first = linearWorkgroup(group, groups) * WORKGROUP * 4u + lane;
  #for i in 0..4
  {
    let at = first + ${i}u * WORKGROUP;
    if (at < params.size) { y[at] = params.beta * y[at] + params.alpha * x[at]; }
  }
  #endfor
}
