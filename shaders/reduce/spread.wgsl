// The gradient of a sum over the middle dimension: dx[outer, n, inner] = scale * g[outer, inner].
#include "common/grid.wgsl"

struct Params { size: u32, n: u32, inner: u32, gStart: u32, dxStart: u32, scale: f32 }
#params Params

var<storage, read> g: array<f32>;
var<storage, read_write> dx: array<f32>;

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
      let source = at / params.inner / params.n * params.inner + at % params.inner;
      dx[params.dxStart + at] = params.scale * g[params.gStart + source];
    }
  }
  #endfor
}
