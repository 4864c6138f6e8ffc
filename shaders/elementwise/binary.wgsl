// y = a OP b for equally shaped f32 tensors, four elements per invocation.
// OP is chosen by one of the defines ADD, SUB, MUL, DIV, MAX, MIN.
#include "common/grid.wgsl"
#include "elementwise/operator.wgsl"

struct Params { size: u32 }
#params Params

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
    if (at < params.size) { y[at] = apply(a[at], b[at]); }
  }
  #endfor
}
