// y = scale * x + shift; with scale 0 it fills (x is then not read, so stale NaNs cannot leak through 0 * NaN).
#include "common/grid.wgsl"

struct Params { size: u32, scale: f32, shift: f32 }
#params Params

#if FILL
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
#else
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#endif

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
    if (at < params.size) {
#if FILL
      y[at] = params.shift;
#else
      y[at] = params.scale * x[at] + params.shift;
#endif
    }
  }
  #endfor
}
